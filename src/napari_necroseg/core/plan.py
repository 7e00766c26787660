"""From choices and a cohort to what a training will do: everything derived, pure, shown before it runs."""

from dataclasses import dataclass, replace

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.errors import CohortError

# Channels of the five resolution levels; the same in 2D and 3D. They reproduce the paper's parameter
# counts: 1,401,713 (2D, two sequences; paper 1.4 million) and 4,144,049 (3D; paper 4.0 million).
WIDTHS = (16, 32, 64, 128, 128)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A training, decided to the last number.

    Parameters
    ----------
    config
        The choices that it was made from.
    cases
        Names of the training cases.
    iterations
        Number of mini-batches; None where only `seconds` bounds the training.
    seconds
        Wall time after which the training ends, loading included; None for no limit.
    patch_shape
        ``(Z, Y, X)`` of a volume patch, with all slices that the stack is interpolated to; a 2D sample is one
        of them.
    widths
        Channels of the resolution levels.
    device
        Torch's name of the device, never ``auto``.
    threads
        CPU threads.
    """

    config: TrainConfig
    cases: tuple[str, ...]
    iterations: int | None
    seconds: float | None
    device: str
    threads: int
    patch_shape: tuple[int, int, int]
    widths: tuple[int, ...] = WIDTHS

    def __post_init__(self) -> None:
        assert self.iterations is not None or self.seconds is not None, "a training needs an end"

    @property
    def channels(self) -> int:
        """Number of input channels, one a sequence."""
        return len(self.config.sequences)


def make_plan(config: TrainConfig, cohort: Cohort, *, device: str, threads: int) -> Plan:
    """Derive the plan of a training.

    Parameters
    ----------
    config
        What the person chose.
    cohort
        The training cases; each must have the chosen sequences and the target mask.
    device
        Torch's name of the device, resolved from ``auto`` by the caller.
    threads
        CPU threads, resolved by the caller.

    Raises
    ------
    CohortError
        If there is no case, or one lacks a sequence or the mask that the training needs.
    """
    if not len(cohort):
        raise CohortError("There is no case to train on; choose at least one case with a reference mask.")
    _check_cases(config, cohort)
    return Plan(
        config=config,
        cases=cohort.names,
        iterations=_iterations(config, len(cohort)),
        seconds=None if config.minutes is None else config.minutes * 60.0,
        device=device,
        threads=threads,
        patch_shape=patch_shape_of(config),
    )


def with_fewer_cases(plan: Plan, n_cases: int) -> Plan:
    """Return the plan of a training that only some of its cases are left for, and that is shorter for it.

    The names stay: they say which cases it was begun with.
    """
    return replace(plan, iterations=_iterations(plan.config, n_cases))


def patch_shape_of(config: TrainConfig) -> tuple[int, int, int]:
    """Return the voxels ``(Z, Y, X)`` of a volume patch."""
    return (config.slices, config.patch_side, config.patch_side)


def duration(seconds: float) -> str:
    """Return a time span as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86_400:.1f} days"


def _iterations(config: TrainConfig, n_cases: int) -> int | None:
    """One pass over all samples in mini-batches, unless steps or a time limit say otherwise.

    The paper's 21 training cases give 37,800 volumes: 18,900 iterations of 2 volumes in 3D, or
    2,419,200 slices in 75,600 iterations of 32 in 2D.
    """
    if config.steps is not None:
        return config.steps
    if config.minutes is not None:
        return None
    samples = n_cases * config.patches_per_case * (config.slices if config.dimension == "2d" else 1)
    return max(1, samples // config.batch_size)


def _check_cases(config: TrainConfig, cohort: Cohort) -> None:
    for case in cohort:
        missing = [str(sequence) for sequence in config.sequences if sequence not in case.sequences]
        mask = case.reference if config.target == "reference" else case.tumour
        if mask is None:
            missing.append(_mask_name(config))
        if missing:
            raise CohortError(
                f"Case {case.name!r} cannot be trained on: it has no {' and no '.join(missing)}. "
                f"Add the file to the cohort, or leave the case out.{_unsigned(case, config)}"
            )


def _unsigned(case: CaseFiles, config: TrainConfig) -> str:
    drawn = case.drawn.get(config.target)
    if drawn is None or drawn.is_used:
        return ""
    return " The labels hold a mask of it that nobody has signed off: sign it off, or take it as it is."


def _mask_name(config: TrainConfig) -> str:
    return "reference mask" if config.target == "reference" else "tumour mask"
