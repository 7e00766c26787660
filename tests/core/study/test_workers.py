"""Several processes do a study: with the numbers of one, also when a process is killed or all are stopped."""

import errno
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from distributed import LocalCluster
from safetensors.numpy import load_file

from napari_necroseg.cli import main
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import ResourceError, SettingsError
from napari_necroseg.core.events import Event
from napari_necroseg.core.study import compute
from napari_necroseg.core.study import workers as cluster_module
from napari_necroseg.core.study.compute import resolve_compute
from napari_necroseg.core.study.dry_run import plan_study
from napari_necroseg.core.study.experiment import run_study

CHOICES: dict[str, Any] = {"configurations": ("2d:ceT1",), "folds": 3, "steps_per_run": 4, "threads": 1}
# tornado, under dask, still makes its loops in ways that Python announces to end.
pytestmark = [
    pytest.mark.filterwarnings("ignore:There is no current event loop:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def project(tmp_path: Path, write_case: Callable[..., Path]) -> Path:
    for number in range(1, 4):
        write_case(tmp_path / "project" / f"case-{number}", seed=number)
    assert main(["prepare", str(tmp_path / "project")]) == 0
    return tmp_path / "project"


def study(
    project: Path, name: str, look: Callable[[Event], None] = lambda _: None, **choices: Any
) -> list[Event]:
    table = project / "cohort.csv"
    config = StudyConfig.checked(**CHOICES | choices)
    events = []
    for event in run_study(read_cohort(table), config, out=project / "study" / name):
        look(event)
        events.append(event)
    return events


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def listening() -> list[tuple[str, int]]:
    """Addresses that this process and its workers listen on."""
    everyone = {process.pid for process in [psutil.Process(), *workers()]}
    found = [
        one.laddr
        for one in psutil.net_connections("tcp")
        if one.pid in everyone and one.status == psutil.CONN_LISTEN
    ]
    return [(address.ip, address.port) for address in found]


def answers_to_http(address: tuple[str, int]) -> bool:
    with socket.create_connection(address, timeout=1) as connection:
        connection.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        try:
            return connection.recv(4) == b"HTTP"
        except OSError:
            return False


def test_no_other_user_can_look_on_and_nothing_is_left(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    open_to_all: list[tuple[str, int]] = []
    seen: list[tuple[str, int]] = []

    def look(event: Event) -> None:
        if event.event == "run_started" and not seen:
            seen.extend(listening())
            open_to_all.extend(address for address in seen if answers_to_http(address))

    study(project, "cluster", look, workers=2)
    assert len(seen) >= 3
    assert {ip for ip, _ in seen} == {"127.0.0.1"}
    assert open_to_all == []
    assert list(temporary.iterdir()) == []


def test_processes_that_cannot_be_started_are_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    with pytest.raises(ResourceError, match=r"2 processes.*No space left on device.*--workers 1"):
        study(project, "cluster", workers=2)


def test_a_dashboard_without_bokeh_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "find_spec", lambda _: None)
    with pytest.raises(ResourceError, match="bokeh"):
        study(project, "cluster", workers=2, dashboard=True)


def test_a_killed_worker_changes_nothing(project: Path) -> None:
    in_training: set[int] = set()
    killed: list[int] = []

    def kill_one(event: Event) -> None:
        """As soon as both are in the middle of a training."""
        if event.event == "run_step" and event.phase == "training":
            in_training.add(event.fold)
        elif event.event == "run_done":
            in_training.discard(event.fold)
        if len(in_training) == 2 and not killed:
            victim = workers()[0]
            killed.append(victim.pid)
            victim.kill()

    length = {"steps_per_run": 10}
    events = study(project, "cluster", kill_one, workers=2, **length)
    assert killed
    started = [event for event in events if event.event == "run_started"]
    assert len(started) > 3
    assert all(event.worker for event in started)
    assert (events[-1].result.done, events[-1].result.failed) == (3, 0)
    assert workers() == []

    study(project, "serial", workers=1, **length)
    clustered, serial = (project / "study" / name for name in ("cluster", "serial"))
    assert (clustered / "scores.csv").read_text() == (serial / "scores.csv").read_text()
    for path in sorted(serial.glob("models/*/weights.safetensors")):
        alone, lost = load_file(path), load_file(clustered / path.relative_to(serial))
        assert all(np.array_equal(alone[name], lost[name]) for name in alone)


def test_a_stopped_study_is_gone_within_two_seconds(project: Path) -> None:
    stop, stopped_s = threading.Event(), 0.0
    table = project / "cohort.csv"
    config = StudyConfig.checked(**CHOICES | {"workers": 2, "steps_per_run": 1000})
    for event in run_study(read_cohort(table), config, out=project / "a", stop=stop):
        if event.event == "run_step" and event.phase == "training" and not stop.is_set():
            stop.set()
            stopped_s = time.monotonic()
    assert 0 < time.monotonic() - stopped_s < 2
    assert workers() == []
    assert not list((project / "a" / "runs").glob("*.json"))


def test_a_scheduler_that_runs_already_is_used(project: Path) -> None:
    with LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, memory_limit=0, silence_logs=50
    ) as cluster:
        choices = {"scheduler": cluster.scheduler_address, "folds": 2, "steps_per_run": 2}
        events = study(project, "a", **choices)
        warned = [event.message for event in events if event.event == "warning"]
        assert any("takes 2 runs at a time and does one after the other" in message for message in warned)
        assert events[-1].result.done == 2
        # It stays, for the next study.
        assert len(cluster.workers) == 1
        assert study(project, "b", **choices)[-1].result.done == 2


def test_two_studies_share_a_scheduler(project: Path) -> None:
    """One is stopped while the other goes on."""
    stop = threading.Event()
    table = project / "cohort.csv"
    config = StudyConfig.checked(**CHOICES | {"steps_per_run": 1000})
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0, silence_logs=50
    ) as cluster:
        long = config.changed(scheduler=cluster.scheduler_address, configurations=("2d:T2",), folds=3)
        events = run_study(read_cohort(table), long, out=project / "long", stop=stop)
        while next(events).event != "run_step":
            pass
        other: list[Event] = []
        short = threading.Thread(
            target=lambda: other.extend(study(project, "short", scheduler=cluster.scheduler_address))
        )
        short.start()
        time.sleep(3)
        stop.set()
        left = list(events)
        short.join()
    assert not [event for event in left if event.event in ("run_failed", "finished")]
    assert {event.configuration for event in other if event.event == "run_step"} == {"2d:ceT1"}
    assert (other[-1].result.done, other[-1].result.failed) == (3, 0)


def test_a_plan_for_a_scheduler_measures_nothing_here(project: Path) -> None:
    table = project / "cohort.csv"
    config = StudyConfig.checked(**CHOICES | {"scheduler": "tcp://127.0.0.1:9"})
    events = list(plan_study(read_cohort(table), config, out=project / "a"))
    planned = [event for event in events if event.event == "run"]
    assert [(event.iterations, event.estimated_s) for event in planned] == [(4, None)] * 3
    assert events[-1].result.estimated_s is None


def test_a_scheduler_that_does_not_answer_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_necroseg.core.study import workers as workers_module

    monkeypatch.setattr(workers_module, "_SECONDS_TO_CONNECT", 1)
    with pytest.raises(ResourceError, match="does not answer"):
        study(project, "a", scheduler="tcp://127.0.0.1:9")


@pytest.mark.parametrize(
    ("cores", "choices", "workers", "threads"),
    [
        (2, {}, 1, 2),
        (16, {}, 4, 4),
        (16, {"workers": 3}, 3, 5),
        (2, {"workers": 1, "threads": 8}, 1, 8),
        (2, {"workers": 2, "threads": 1}, 2, 1),
        (16, {"threads": 8}, 2, 8),
        (2, {"spare_cores": 1}, 1, 1),
        (2, {"spare_cores": 1, "threads": 2}, 1, 2),
        (1, {"spare_cores": 1}, 1, 1),
    ],
)
def test_runs_share_the_cores(
    cores: int, choices: dict[str, int], workers: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "_n_cores", lambda: cores)
    chosen = resolve_compute(StudyConfig.checked(device="cpu", **choices))
    assert (chosen.workers, chosen.threads) == (workers, threads)


def test_more_threads_than_cores_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "_n_cores", lambda: 2)
    with pytest.raises(SettingsError, match="2 workers with 2 threads each are more than the 2 cores"):
        resolve_compute(StudyConfig.checked(device="cpu", workers=2, threads=2))
    with pytest.raises(SettingsError, match="3 workers with 1 thread each"):
        resolve_compute(StudyConfig.checked(device="cpu", workers=3))


def test_a_run_has_a_card_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "_devices", lambda _: ("cuda:0", "cuda:1"))
    monkeypatch.setattr(compute, "_n_cores", lambda: 8)
    chosen = resolve_compute(StudyConfig())
    assert (chosen.workers, chosen.devices, chosen.threads) == (2, ("cuda:0", "cuda:1"), 4)


def test_without_dask_there_is_one_worker_or_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "_n_cores", lambda: 16)
    monkeypatch.setattr(compute, "find_spec", lambda _: None)
    assert resolve_compute(StudyConfig.checked(device="cpu")).workers == 1
    for choices in ({"workers": 2}, {"scheduler": "tcp://a:1"}):
        with pytest.raises(ResourceError, match=r"napari-necroseg\[cluster\]"):
            resolve_compute(StudyConfig.checked(device="cpu", **choices))
