"""Runs a command: from its words to its exit code."""

import argparse
import sys
from collections.abc import Generator, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from napari_necroseg import __version__
from napari_necroseg.cli._interrupts import Interrupts
from napari_necroseg.cli._names import COMMANDS, INTERRUPTED, MODULE_OF, READER_GONE, USER_ERROR, join_points
from napari_necroseg.cli._streams import ReaderGoneError, abandon_broken, open_missing, printable, say, write
from napari_necroseg.core.errors import SYSTEM_ERRORS, NecrosegError, ResourceError, mistake_of

if TYPE_CHECKING:
    from napari_necroseg.core.events import Event


# Commands that run networks, which allocate and free much memory.
_COMPUTING = ("train", "predict", "study")


def run_command(arguments: Sequence[str], interrupts: Interrupts, *, started_s: float) -> int:
    """Run a command, and turn any end of it into an exit code.

    `arguments`: the words after the program's name. `interrupts`: handles interruptions, and is told when the
    job begins. `started_s`: when the process was started, by the monotonic clock.
    Returns the exit code, as `main` does.
    """
    if interrupts.is_own_process:
        open_missing()
    try:
        return _run(arguments, interrupts, started_s=started_s)
    except ReaderGoneError:
        return READER_GONE
    except KeyboardInterrupt:
        say("necroseg: interrupted before anything was begun.\n")
        return INTERRUPTED
    except (NecrosegError, *SYSTEM_ERRORS) as error:
        mistake = mistake_of(error)
        if mistake is None:
            raise
        say(f"necroseg: {printable(' '.join(str(mistake).split()))}\n")
        return USER_ERROR
    finally:
        if interrupts.is_own_process:
            abandon_broken()


def _run(arguments: Sequence[str], interrupts: Interrupts, *, started_s: float) -> int:
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    options = make_parser(chosen).parse_args(join_points(arguments), argparse.Namespace(started_s=started_s))
    if options.json and sys.stdout is None:
        raise ResourceError("Standard output is closed, so that --json has nowhere to write; leave it out.")
    from napari_necroseg.cli._console import present
    from napari_necroseg.core.process import keep_freed_memory

    if interrupts.is_own_process and chosen in _COMPUTING:
        keep_freed_memory()

    def begin() -> "Generator[Event]":
        events: Generator[Event] = options.run(options)
        interrupts.begin()
        return events

    left_behind = None if options.left_behind is None else partial(options.left_behind, options)
    return present(begin, as_json=options.json, left_behind=left_behind)


class Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, without repeating all options."""
        self.exit(USER_ERROR, f"{self.prog}: {message}; see {self.prog} --help\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help, version or a mistake; argparse itself ignores errors of the stream."""
        stdout = sys.stdout
        if file is stdout:
            write(stdout, message)
        else:
            say(printable(message))


def make_parser(command: str | None) -> argparse.ArgumentParser:
    """Make the parser, with all options of `command` and only the help line of the others."""
    parser = Parser(
        prog="necroseg",
        description="Segment necrosis zones after radiofrequency ablation of spinal metastases. "
        "Research software, not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"necroseg {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary.capitalize() + ".")
        if name == command:
            module = import_module(f"napari_necroseg.cli.{MODULE_OF.get(name, name)}")
            getattr(module, f"add_{name}_arguments")(subparser)
            subparser.set_defaults(
                run=getattr(module, f"{name}_job"), left_behind=getattr(module, f"{name}_left_behind", None)
            )
            subparser.add_argument(
                "--json", action="store_true", help="print one JSON object a line to standard output"
            )
    return parser
