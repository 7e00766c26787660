"""Break the program on purpose, and count what held.

Each trial runs a real command in a process of its own (a fork of this one, so that a trial takes a second)
and breaks something meanwhile: the process is killed at its n-th access to the disk, the system refuses it,
the disk is full or slow, a stream is closed, a file that is read was damaged, the user is another one, memory
is short. A trial holds if there was no traceback, no hang beyond 20 s, no result that is wrong without a
word, and if the same command afterwards does what it would have done (`break_scenarios`).

``--work`` keeps a line a trial in ``trials.jsonl``: what is there is not done again. ``--every N`` takes each
N-th access and damage only; ``--quick`` is a short run of all kinds. It needs Linux; the foreign user and the
full disk (a tmpfs) need root, and are listed as left out where there is none. The disk is broken by the one
way to it, ``core.files.disk``.
"""

import argparse
import errno
import itertools
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import break_scenarios as scenarios
from break_scenarios import Command, Outcome

SECONDS_TO_HANG = 20.0
KINDS = ("kill", "refuse", "slow", "damage", "full", "streams", "user", "memory")
ACCESSES = ("open", "write", "fsync", "replace", "unlink", "make_folder")
REFUSALS = (errno.EACCES, errno.EIO, errno.ENOSPC, errno.EBUSY)
FOREIGN = 23_456
# What a shell says of a command that ended well, that told a mistake, or whose reader has gone.
FAIR_CODES = (0, 2, 141)


@dataclass(frozen=True)
class Trial:
    """One way to break one command."""

    kind: str
    command: str
    how: str
    run: Callable[[Path], str]


def main() -> None:
    """Run what is missing, then print the counts."""
    options = read_options()
    options.work.mkdir(parents=True, exist_ok=True)
    record = options.work / "trials.jsonl"
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    done = {(one["kind"], one["command"], one["how"]): one for one in map(json.loads, lines)}
    commands = scenarios.prepare(options.work / "material")
    deadline = time.monotonic() + (options.minutes or 1e9) * 60
    with record.open("a", encoding="utf-8") as file:
        for trial in trials(commands, options):
            key = (trial.kind, trial.command, trial.how)
            if key in done or time.monotonic() > deadline:
                continue
            done[key] = one = tried(trial, options.work / "place")
            file.write(json.dumps(one) + "\n")
            file.flush()
            if options.json or one["verdict"] != "held":
                print(json.dumps(one), flush=True)
    print_counts(list(done.values()))


def tried(trial: Trial, place: Path) -> dict[str, object]:
    """Do a trial; return the line that is kept of it."""
    started = time.monotonic()
    verdict = trial.run(scenarios.fresh(place)) or "held"
    return {
        "benchmark": "break_it",
        "kind": trial.kind,
        "command": trial.command,
        "how": trial.how,
        "seconds": round(time.monotonic() - started, 2),
        "verdict": verdict,
    }


def read_options() -> argparse.Namespace:
    """Read what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for the trials and their results")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--commands", nargs="+", help="these only; all if not given")
    parser.add_argument("--every", type=int, default=1, help="take each N-th access to the disk, and damage")
    parser.add_argument("--damages", type=int, default=40, help="damaged copies of each file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, help="begin no trial after so long")
    parser.add_argument("--quick", action="store_true", help="each 9th access, 4 damages a file")
    parser.add_argument("--json", action="store_true", help="print a line a trial")
    options = parser.parse_args()
    if options.quick:
        options.every, options.damages = 9, 4
    options.work = options.work.resolve()
    return options


def print_counts(lines: list[dict[str, object]]) -> None:
    """Print how many trials of each kind held, and those that did not."""
    counts = Counter((line["kind"], line["verdict"] == "held") for line in lines)
    print(f"{'kind':10} {'trials':>7} {'held':>7}")
    for kind in KINDS:
        held, not_held = counts[kind, True], counts[kind, False]
        print(f"{kind:10} {held + not_held:7} {held:7}")
    for line in lines:
        if line["verdict"] != "held":
            print(f"NOT HELD: {line['kind']}, {line['command']}, {line['how']}: {line['verdict']}")


def trials(commands: dict[str, Command], options: argparse.Namespace) -> Iterator[Trial]:
    """Yield all trials that were asked for, in an order that is always the same."""
    makers = {
        "kill": killed,
        "refuse": refused,
        "slow": slowed,
        "damage": damaged,
        "full": on_full_disk,
        "streams": with_broken_streams,
        "user": as_foreign_user,
        "memory": short_of_memory,
    }
    chosen = {name: one for name, one in commands.items() if not options.commands or name in options.commands}
    for kind in options.kinds:
        if kind in ("full", "user") and os.geteuid() != 0:
            print(f"{kind}: left out, since it needs root")
            continue
        for command in chosen.values():
            yield from makers[kind](command, options)


def killed(command: Command, options: argparse.Namespace) -> Iterator[Trial]:
    """Kill it before its n-th access to the disk, and once more after half of a write."""
    for number, access in itertools.islice(accesses(command, options), 0, None, options.every):
        for is_half in (False, True) if access == "write" else (False,):

            def run(place: Path, number: int = number, is_half: bool = is_half) -> str:
                command.begin(place)
                outcome = forked(command, place, lambda: at_access(number, kill_self, is_half=is_half))
                if outcome.hung:
                    return "hang"
                return command.check_whole(place) or again(command, place)

            yield Trial("kill", command.name, f"{access} {number}{' half' if is_half else ''}", run)


def refused(command: Command, options: argparse.Namespace) -> Iterator[Trial]:
    """Let the system refuse its n-th access to the disk."""
    for number, access in itertools.islice(accesses(command, options), 0, None, options.every):
        code = REFUSALS[number % len(REFUSALS)]

        def run(place: Path, number: int = number, code: int = code) -> str:
            command.begin(place)
            outcome = forked(command, place, lambda: at_access(number, lambda: refuse(code)))
            return judged(outcome) or command.check_whole(place) or again(command, place)

        yield Trial("refuse", command.name, f"{access} {number} {errno.errorcode[code]}", run)


def slowed(command: Command, _: argparse.Namespace) -> Iterator[Trial]:
    """Let every flush to the disk take half a second."""

    def slow() -> None:
        from napari_necroseg.core import files

        before = files.disk.fsync

        def fsync(file: object) -> None:
            time.sleep(0.5)
            before(file)

        files.disk.fsync = fsync

    def run(place: Path) -> str:
        command.begin(place)
        outcome = forked(command, place, slow, seconds=4 * SECONDS_TO_HANG)
        return judged(outcome, codes=(0,)) or command.check_done(place)

    yield Trial("slow", command.name, "fsync 0.5 s", run)


def damaged(command: Command, options: argparse.Namespace) -> Iterator[Trial]:
    """Damage each file that it reads, in some ways."""
    for name in command.reads:
        for number in range(options.damages):
            how = f"{name} {number}"

            def run(place: Path, name: str = name, how: str = how) -> str:
                command.begin(place)
                scenarios.damage(place / name, random.Random(f"{options.seed} {how}"))
                outcome = forked(command, place, lambda: limit_memory(4 << 30))
                return judged(outcome) or command.check_told(place, name, outcome)

            yield Trial("damage", command.name, how, run)


def on_full_disk(command: Command, options: argparse.Namespace) -> Iterator[Trial]:
    """Let it write to a tmpfs that is full at some point."""
    sizes_kib = (0, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
    for free_kib in sizes_kib[:: max(1, options.every // 3)]:

        def run(place: Path, free_kib: int = free_kib) -> str:
            disk = place.with_name("disk")
            disk.mkdir(exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
            try:
                inside = disk / "place"
                inside.mkdir()
                command.begin(inside)
                filler = disk / "filler"
                free = os.statvfs(disk)
                filler.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - free_kib * 1024)))
                outcome = forked(command, inside, lambda: None)
                verdict = judged(outcome) or command.check_whole(inside)
                filler.unlink()
                return verdict or again(command, inside)
            finally:
                subprocess.run(["umount", str(disk)], check=True)

        yield Trial("full", command.name, f"{free_kib} KiB free", run)


def with_broken_streams(command: Command, _: argparse.Namespace) -> Iterator[Trial]:
    """Run it with a standard stream closed, full, or without a reader."""
    for how in ("0<&-", ">&-", "2>&-", ">&- 2>&-", ">/dev/full", "2>/dev/full", "| true", "2>&1 | true"):
        for json_flag in ("", "--json"):

            def run(place: Path, how: str = how, json_flag: str = json_flag) -> str:
                command.begin(place)
                return scenarios.in_shell(command, place, f"{json_flag} {how}", seconds=3 * SECONDS_TO_HANG)

            if command.words:
                yield Trial("streams", command.name, f"{json_flag} {how}".strip(), run)


def as_foreign_user(command: Command, _: argparse.Namespace) -> Iterator[Trial]:
    """Run it as a user who may write nothing, or may not read one of its files."""

    def become() -> None:
        os.environ["HOME"] = "/nonexistent"
        os.setgroups([])
        os.setgid(FOREIGN)
        os.setuid(FOREIGN)

    for name in ("", *command.reads):

        def run(place: Path, name: str = name) -> str:
            command.begin(place)
            if name:
                scenarios.open_to_all(place)
                (place / name).chmod(0o600)
            else:
                place.chmod(0o755)
            outcome = forked(command, place, become)
            return judged(outcome, codes=(0, 2)) or command.check_whole(place)

        yield Trial("user", command.name, f"may not read {name}" if name else "may write nothing", run)


def short_of_memory(command: Command, _: argparse.Namespace) -> Iterator[Trial]:
    """Run it with little more address space than it has at the start."""
    for mib in (16, 64, 128, 256, 512, 1024):

        def run(place: Path, mib: int = mib) -> str:
            command.begin(place)
            outcome = forked(command, place, lambda: limit_memory(mib << 20))
            return judged(outcome) or command.check_whole(place)

        yield Trial("memory", command.name, f"{mib} MiB", run)


def again(command: Command, place: Path) -> str:
    """Run it again, unbroken; say what is wrong then."""
    outcome = forked(command, place, lambda: None, go_on=True)
    return judged(outcome, codes=(0,)) or command.check_done(place)


def judged(outcome: Outcome, codes: tuple[int, ...] = FAIR_CODES) -> str:
    """Say what is wrong with how a command ended; nothing if it is fair."""
    if outcome.hung:
        return "hang"
    if "Traceback" in outcome.text:
        return f"traceback: {outcome.text.strip().splitlines()[-1][:200]}"
    if outcome.code not in codes:
        return f"exit code {outcome.code}: {outcome.text.strip()[-200:]}"
    return ""


def forked(
    command: Command,
    place: Path,
    breaks: Callable[[], None],
    *,
    go_on: bool = False,
    seconds: float = SECONDS_TO_HANG,
) -> Outcome:
    """Run a command in a fork, in which something was broken first."""
    said = place.with_name("said")
    child = os.fork()
    if not child:
        scenarios.be_a_command(command, place, said, breaks, go_on=go_on)
    deadline = time.monotonic() + seconds
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            text = said.read_text(encoding="utf-8", errors="replace") if said.exists() else ""
            return Outcome(code=os.waitstatus_to_exitcode(status), text=text, hung=False)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return Outcome(code=-9, text="", hung=True)
        time.sleep(0.005)


def accesses(command: Command, options: argparse.Namespace) -> list[tuple[int, str]]:
    """Return number and kind of each access to the disk of a command that nothing breaks."""
    place = scenarios.fresh(options.work / "counted")
    command.begin(place)
    log = place.with_name("accesses")
    log.unlink(missing_ok=True)

    def note() -> None:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        at_access(-1, lambda: None, seen=lambda access: os.write(descriptor, f"{access}\n".encode()))

    forked(command, place, note)
    return list(enumerate(log.read_text().split())) if log.exists() else []


def at_access(
    number: int,
    act: Callable[[], None],
    *,
    is_half: bool = False,
    seen: Callable[[str], object] = lambda _: None,
) -> None:
    """Do something before the n-th access to the disk, or after half of what it would write."""
    from napari_necroseg.core import files

    counter = itertools.count()

    def wrap(access: str) -> None:
        before = getattr(files.disk, access)

        def wrapped(*arguments: object) -> object:
            seen(access)
            if next(counter) == number:
                if is_half and access == "write":
                    file, content = arguments
                    before(file, content[: len(content) // 2])
                act()
            return before(*arguments)

        setattr(files.disk, access, wrapped)

    for access in ACCESSES:
        wrap(access)


def kill_self() -> None:
    """End at once, as by ``kill -9``."""
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(code: int) -> None:
    """Refuse as the system does."""
    raise OSError(code, os.strerror(code))


def limit_memory(more_bytes: int) -> None:
    """Allow so much more address space than there is now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    sys.exit(main())
