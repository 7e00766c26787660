"""Spreads runs over many processes with dask.distributed, on this computer or on others."""

import queue
import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import fields, replace
from importlib.util import find_spec
from typing import Any

import dask.config
import psutil
from distributed import (
    Client,
    Future,
    KilledWorker,
    Nanny,
    Scheduler,
    Security,
    SpecCluster,
    Worker,
    WorkerPlugin,
    get_worker,
)

from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.errors import ResourceError, mistake_of
from napari_necroseg.core.events import Event, Finished, Warned, to_record
from napari_necroseg.core.study.cases import CaseStore
from napari_necroseg.core.study.compute import Compute
from napari_necroseg.core.study.record import STUDY_NAME, RunState
from napari_necroseg.core.study.run import RunAdvanced, RunStarted
from napari_necroseg.core.study.run_job import RunSpec, do_run, failed

_NAME = "napari-necroseg-{}"
_SECONDS_TO_CONNECT = 15
_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_TO_TELL = 1.0
_DASHBOARD = "127.0.0.1:8787"

# Above all levels of Python's logging.
_SILENT = 60
_KINDS: dict[str, type[Event]] = {kind.event: kind for kind in (RunStarted, RunAdvanced, Warned)}


class StudyWorker(WorkerPlugin):
    """Keeps, on a worker, the cases that it has read and the flag that stops it."""

    def __init__(self, devices: tuple[str, ...], share: int) -> None:
        self._devices = devices
        # How many workers share the memory of a computer.
        self._share = share

    def setup(self, worker: Worker) -> None:
        """Begin; dask calls it on the worker."""
        self.store = CaseStore(share=self._share)
        self.stop = threading.Event()
        # A worker with many threads is given many runs, but does one at a time.
        self.turn = threading.Lock()
        number = worker.name if isinstance(worker.name, int) else 0
        self.device = self._devices[number % len(self._devices)]

    def teardown(self, worker: Worker) -> None:
        """Stop the run: the worker closes, or another study begins."""
        self.stop.set()


def do_on_workers(
    specs: Sequence[RunSpec], compute: Compute, *, stop: threading.Event
) -> Generator[Event, None, None]:
    """Do runs on the workers of a cluster.

    `specs`: the runs. `compute`: where they are done. `stop`: set it to end all runs within two seconds.
    Yields the events of `do_run`, from all runs as they come; `Finished` with a `RunState` for each.
    Raises `ResourceError` if the scheduler cannot be reached, or its workers lack this program.
    """
    arrived: queue.SimpleQueue[tuple[float, dict[str, Any]]] = queue.SimpleQueue()
    with _connected(compute) as client:
        yield from _warnings(client)
        if compute.dashboard and compute.scheduler is None:
            message = f"The dashboard {client.dashboard_link} is visible to every user of this computer."
            yield Warned(message=message)
        # Other studies may use the same workers.
        name = _NAME.format(client.id)
        _prepare(client, compute, name=name, arrived=arrived)
        runs = {
            client.submit(_do, spec, name, key=f"{spec.run.key}-{client.id}", pure=False, retries=0): spec
            for spec in specs
        }
        try:
            yield from _watch(runs, arrived, stop=stop)
        finally:
            left = [future for future in runs if not future.done()]
            if left:
                _stop_workers(client, name)
                client.cancel(left)
            elif compute.scheduler is not None:
                # The workers forget their cases. After a stop they are gone, or may not answer.
                client.unregister_worker_plugin(name)


def _do(spec: RunSpec, name: str) -> dict[str, Any] | None:
    """Do a run on a worker; return its record, or None if it was stopped."""
    worker = get_worker()
    plugin: StudyWorker = worker.plugins[name]
    state: dict[str, Any] | None = None
    if not (spec.out / STUDY_NAME).is_file():
        unseen = "does not see the folder of the study; share it under the same path"
        return failed(spec, f"The worker {worker.name} {unseen}.").model_dump(mode="json")
    spec = replace(spec, device=plugin.device)
    with plugin.turn, closing(do_run(spec, plugin.store, stop=plugin.stop)) as events:
        for event in events:
            if isinstance(event, Finished):
                state = event.result.model_dump(mode="json")
                break
            named = replace(event, worker=str(worker.name)) if isinstance(event, RunStarted) else event
            worker.log_event(name, to_record(named))
    return state


def _stop_workers(client: Client, name: str) -> None:
    """Tell all workers to stop, without waiting for those that do not answer."""

    def tell() -> None:
        # The connection may be closed before a slow worker answers.
        with suppress(OSError):
            client.run(_stop_here, name, on_error="ignore")

    telling = threading.Thread(target=tell, daemon=True, name="stop workers")
    telling.start()
    telling.join(_SECONDS_TO_TELL)


def _stop_here(name: str, dask_worker: Worker) -> None:
    dask_worker.plugins[name].stop.set()


@contextmanager
def _connected(compute: Compute) -> Iterator[Client]:
    """Connect to the scheduler, or start one here that only this program can reach."""
    if compute.scheduler is not None:
        try:
            client = Client(compute.scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ResourceError(
                f"The scheduler {compute.scheduler} does not answer; check its address, and that it runs."
            ) from error
        with client:
            yield client
        return
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="necroseg-study-", ignore_cleanup_errors=True)
            )
            # For all of dask's files, its locks included.
            stack.enter_context(dask.config.set({"temporary-directory": folder}))
            cluster = stack.enter_context(_cluster_here(compute))
            client = stack.enter_context(Client(cluster, set_as_default=False))
        except (OSError, RuntimeError) as error:
            raise ResourceError(
                f"The {compute.workers} processes of this study could not be started ({_cause(error)}); free "
                "some memory and disk space, or let one run follow the other with --workers 1."
            ) from error
        try:
            yield client
        finally:
            _end(cluster)


class _NoWebServer:
    """Leaves out dask's web server, whose pages any user of the computer could read."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Start none."""


class _Scheduler(_NoWebServer, Scheduler):
    """Hands out the runs."""


class _Worker(_NoWebServer, Worker):
    """Does one run at a time."""


def _cluster_here(compute: Compute) -> SpecCluster:
    """Start a scheduler and workers that no other program can reach."""
    if compute.dashboard and find_spec("bokeh") is None:
        raise ResourceError("The dashboard needs bokeh: pip install bokeh; or leave --dashboard out.")
    shared = {"security": Security.temporary(), "protocol": "tls://", "host": "127.0.0.1"}
    # Torch asks for the memory, and `memory_errors` reports a lack of it.
    worker = shared | {"nthreads": 1, "memory_limit": 0, "silence_logs": _SILENT}
    scheduler = shared | {"port": 0, "dashboard": compute.dashboard, "dashboard_address": _DASHBOARD}
    return SpecCluster(
        workers={
            number: {"cls": Nanny, "options": worker | {"worker_class": _Worker}}
            for number in range(compute.workers)
        },
        scheduler={"cls": Scheduler if compute.dashboard else _Scheduler, "options": scheduler},
        security=shared["security"],
        silence_logs=_SILENT,
    )


def _cause(error: BaseException) -> str:
    """Return the first cause of an error in one line: dask wraps it several times."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__


def _end(cluster: SpecCluster) -> None:
    """Kill the workers: closing them takes seconds, and their files are whole at any moment."""
    for nanny in cluster.workers.values():
        # Or it would replace the killed worker.
        nanny.close_gracefully()
        if nanny.pid is not None:
            with suppress(psutil.NoSuchProcess):
                # Let the nanny see it end, or it would wait for seconds.
                psutil.Process(nanny.pid).kill()


def _warnings(client: Client) -> Iterator[Event]:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        yield Warned(message="The scheduler has no worker yet; the runs begin as soon as there is one.")
    for worker in workers.values():
        if worker["nthreads"] > 1:
            yield Warned(
                message=f"The worker {worker['name']} takes {worker['nthreads']} runs at a time and does one "
                "after the other; start workers with --nthreads 1, so that none waits there."
            )


def _prepare(client: Client, compute: Compute, *, name: str, arrived: "queue.SimpleQueue[Any]") -> None:
    try:
        client.register_plugin(StudyWorker(compute.devices, max(1, compute.workers)), name=name)
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"The workers lack a package ({error.name}); install napari-necroseg[cluster] where they run."
        ) from error
    client.subscribe_topic(name, arrived.put)


def _watch(
    runs: dict[Future, RunSpec], arrived: "queue.SimpleQueue[Any]", *, stop: threading.Event
) -> Generator[Event, None, None]:
    waiting = dict(runs)
    while waiting and not stop.is_set():
        yield from _arrived(arrived)
        for future in [future for future in waiting if future.done()]:
            spec = waiting.pop(future)
            yield from _arrived(arrived)
            yield Finished(result=_state(future, spec))


def _arrived(arrived: "queue.SimpleQueue[Any]") -> Iterator[Event]:
    """Yield the workers' new events; wait a moment for the first."""
    try:
        _, record = arrived.get(timeout=_SECONDS_BETWEEN_LOOKS)
        while True:
            yield _event(record)
            _, record = arrived.get_nowait()
    except queue.Empty:
        return


def _event(record: dict[str, Any]) -> Event:
    kind = _KINDS[record["event"]]
    values = {field.name: record[field.name] for field in fields(kind)}
    if "configuration" in values:
        values["configuration"] = Configuration(values["configuration"])
    return kind(**values)


def _state(future: Future, spec: RunSpec) -> RunState:
    """Return the record of a run; an unforeseen error on a worker does not end the other runs."""
    error = future.exception() if future.status != "cancelled" else None
    if future.status == "finished":
        result = future.result()
        if result is not None:
            return RunState.model_validate(result)
        return failed(spec, "It was stopped; continue the study to finish it.")
    if future.status == "cancelled":
        return failed(spec, "The scheduler is gone, or has dropped the run.")
    if isinstance(error, KilledWorker):
        lost = "Its process died repeatedly; usually the computer has run out of memory."
        return failed(spec, lost)
    mistake = None if error is None else mistake_of(error)
    if mistake is not None:
        return failed(spec, str(mistake))
    return failed(spec, f"It ended with an unexpected error ({type(error).__name__}: {error}).")
