"""Decides where runs are computed: how many at a time, on which devices, with how many threads."""

import os
from dataclasses import dataclass
from importlib.util import find_spec

from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import ResourceError, SettingsError

_CORES_A_RUN = 4


@dataclass(frozen=True, kw_only=True)
class Compute:
    """The computer, or the cluster, that runs are computed on."""

    # Runs at the same time on this computer.
    workers: int
    # Torch's name of the device of each worker, in turn; ``auto`` is resolved on the worker.
    devices: tuple[str, ...]
    # CPU threads of a run; None for all but one of the worker's computer.
    threads: int | None
    # Address of a scheduler whose workers are used instead of this computer.
    scheduler: str | None = None
    # Whether dask's web server is started beside workers of this computer.
    dashboard: bool = False

    @property
    def needs_cluster(self) -> bool:
        """Whether more than this process is needed."""
        return self.scheduler is not None or self.workers > 1

    def __str__(self) -> str:
        if self.scheduler is not None:
            return f"the workers of {self.scheduler}"
        runs = "one run at a time" if self.workers == 1 else f"{self.workers} runs at a time"
        return f"{runs}, {self.threads} threads each, on {', '.join(dict.fromkeys(self.devices))}"


def resolve_compute(config: StudyConfig) -> Compute:
    """Decide where the runs of a study are computed.

    Unless chosen otherwise, there is one run per graphics card, or else one per four cores.

    Raises `SettingsError` if the workers' threads were more than there are cores; `ResourceError` if this
    needs dask.distributed, and it is not installed.
    """
    if config.scheduler is not None:
        _check_cluster()
        there = config.scheduler
        return Compute(workers=0, devices=(config.device,), threads=config.threads, scheduler=there)
    cores = _n_cores()
    devices = _devices(config.device)
    has_cards = devices[0] != "cpu"
    wished = max(1, cores // (config.threads or _CORES_A_RUN))
    workers = config.workers or (len(devices) if has_cards else wished)
    if config.workers is None and workers > 1 and find_spec("distributed") is None:
        workers = 1
    threads = config.threads or max(1, (cores - config.spare_cores) // workers)
    if workers * threads > max(cores, threads):
        raise SettingsError(
            f"{workers} workers with {threads} {'thread' if threads == 1 else 'threads'} each are more than "
            f"the {cores} cores of this computer; choose fewer."
        )
    compute = Compute(workers=workers, devices=devices, threads=threads, dashboard=config.dashboard)
    if compute.needs_cluster:
        _check_cluster()
    return compute


def _check_cluster() -> None:
    if find_spec("distributed") is None:
        raise ResourceError(
            'Several runs at a time need dask.distributed: pip install "napari-necroseg[cluster]". With one '
            "worker it is not needed."
        )


def _devices(device: str) -> tuple[str, ...]:
    """Return the devices that workers use in turn: all graphics cards, unless one was named."""
    from napari_necroseg.core.network.device import resolve_device

    resolved = resolve_device(device)
    if device != "auto" or resolved != "cuda":
        return (resolved,)
    import torch

    return tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
