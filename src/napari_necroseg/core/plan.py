"""Plans a training: derives every number of it from the choices and the cohort, before it runs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.core.case_names import name_key
from napari_necroseg.core.config import Dimension, Preset, TrainConfig, train_preset
from napari_necroseg.core.errors import CohortError

# Channels of the five resolution levels; the same in 2D and 3D. They reproduce the paper's parameter
# counts: 1,401,713 (2D, two sequences; paper 1.4 million) and 4,144,049 (3D; paper 4.0 million).
WIDTHS = (16, 32, 64, 128, 128)

# Settings that define the network and its task.
SAME_NETWORK = ("dimension", "sequences", "target", "upsampling")

# Settings that define how the network sees its images.
SAME_IMAGES = ("whitening", "slices", "patch_side")

# At its first learning rate a model forgets about twice as much of its old cases: docs/lab/training.md.
RATE_SHARE = 0.1

# Predicting them takes time from the training.
_MOST_WATCHED = 4


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A training with every number decided."""

    config: TrainConfig
    cases: tuple[str, ...]  # Names of the training cases.
    iterations: int | None  # Number of mini-batches; None where only the time limits the training.
    # Wall time after which the training ends, including loading; None for no limit.
    seconds: float | None
    # ``(Z, Y, X)`` of a volume patch, with all slices that the stack is interpolated to; a 2D sample is one
    # of these slices.
    patch_shape: tuple[int, int, int]
    widths: tuple[int, ...] = WIDTHS  # Channels of the resolution levels.

    def __post_init__(self) -> None:
        assert self.iterations is not None or self.seconds is not None, "a training needs an end"

    @property
    def channels(self) -> int:
        """Number of input channels, one per sequence."""
        return len(self.config.sequences)


def make_plan(config: TrainConfig, cohort: Cohort) -> Plan:
    """Derive the plan of a training on a cohort.

    Raises `CohortError` if there is no case, or one lacks a sequence or the mask that the training needs.
    """
    if not len(cohort):
        raise CohortError("There is no case to train on; choose at least one case with a reference mask.")
    _check_cases(config, cohort)
    return Plan(
        config=config,
        cases=cohort.names,
        iterations=_iterations(config, len(cohort)),
        seconds=None if config.minutes is None else config.minutes * 60.0,
        patch_shape=patch_shape_of(config),
    )


def with_fewer_cases(plan: Plan, n_cases: int) -> Plan:
    """Return a shorter plan for a training of which only some cases are left.

    The names stay: they are those of the cases that the training began with.
    """
    return replace(plan, iterations=_iterations(plan.config, n_cases))


def patch_shape_of(config: TrainConfig) -> tuple[int, int, int]:
    """Return the voxels ``(Z, Y, X)`` of a volume patch."""
    return (config.slices, config.patch_side, config.patch_side)


def _iterations(config: TrainConfig, n_cases: int) -> int | None:
    """Return the mini-batches of one pass over all samples, unless steps or a time limit are set.

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
        if missing := case.missing(config.sequences, config.target):
            raise CohortError(
                f"Case {case.name!r} cannot be trained on: it has no {' and no '.join(missing)}. "
                f"Add the file to the cohort, or leave the case out.{_unsigned(case, config)}"
            )


def _unsigned(case: CaseFiles, config: TrainConfig) -> str:
    drawn = case.drawn.get(config.target)
    if drawn is None or drawn.is_used:
        return ""
    return " The labels hold a mask of it that nobody has signed off: sign it off, or take it as it is."


def fine_tuning_preset(name: Preset, dimension: Dimension) -> TrainConfig:
    """Return the preset for a training that continues a model with a few new cases.

    It is that of `train_preset`, except for a tenth of the learning rate in ``fast``; ``paper`` stays as
    published.
    """
    config = train_preset(name, dimension)
    if name == "paper":
        return config
    return config.changed(learning_rate=RATE_SHARE * config.learning_rate)


def seen_by(learned: TrainConfig) -> dict[str, object]:
    """Return the settings that define how a model sees its images.

    The size of the patches is one of them only where each patch is whitened by itself, since a smaller patch
    has other statistics.
    """
    names = SAME_IMAGES[:-1] if learned.whitens_images else SAME_IMAGES
    return {name: getattr(learned, name) for name in names}


def fine_tuned(config: TrainConfig, learned: TrainConfig) -> TrainConfig:
    """Copy the settings that the start model dictates into a configuration."""
    spread = config.intensity_spread if learned.whitens_images else 0.0
    return config.changed(intensity_spread=spread, **seen_by(learned))


def watched(held_out: Sequence[str], learned: Collection[str]) -> tuple[str, ...]:
    """Return a few cases that only the start model was trained on: they show what the new one forgets."""
    known = set(map(name_key, learned))
    return tuple([name for name in held_out if name_key(name) in known][:_MOST_WATCHED])


def may_validate(cohort: Cohort, trained: Cohort, *, config: TrainConfig) -> Cohort:
    """Return the cases that can be validated on: of other patients, with all images and the mask."""
    patients = {case.patient_or_name for case in trained}
    return Cohort(
        cases=tuple(
            case
            for case in cohort
            if case.patient_or_name not in patients and not case.missing(config.sequences, config.target)
        )
    )
