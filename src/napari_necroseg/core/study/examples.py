"""The cases of an experiment that a figure shows: chosen by a rule, read from disk, one slice each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_necroseg.core.case import Case, Cohort
from napari_necroseg.core.case_names import named_file
from napari_necroseg.core.config import Dimension
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.display import display_range
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.files import file_sha256, voxels_sha256
from napari_necroseg.core.images.load import load_case
from napari_necroseg.core.images.on_grid import read_mask_on
from napari_necroseg.core.scoring.numbers import mean
from napari_necroseg.core.study.findings import Findings, title_of
from napari_necroseg.core.study.outcomes import Outcome
from napari_necroseg.core.study.record import StudyRecord
from napari_necroseg.core.study.runs import Run
from napari_necroseg.core.volume import Volume, Voxels


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which cases stand for an experiment.

    Parameters
    ----------
    outcomes
        The configurations that are shown.
    cases
        ``best``, ``median`` and ``worst``, as far as there are so many.
    rule
        How they were chosen, in a sentence.
    """

    outcomes: tuple[Outcome, ...]
    cases: Mapping[str, str]
    rule: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """A mask in a slice, and the Dice coefficient of the whole volume."""

    mask: Voxels
    dice: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """One slice of a case.

    Parameters
    ----------
    images
        ``(Y, X)`` by sequence.
    ranges
        Intensities to show as black and as white, of the whole image.
    reference
        ``(Y, X)``, true inside.
    predictions
        By configuration.
    spacing_mm
        Of rows and of columns.
    slice_number
        From 1.
    """

    case: str
    rank: str
    images: Mapping[str, Voxels]
    ranges: Mapping[str, tuple[float, float]]
    reference: Voxels
    predictions: Mapping[str, Shown]
    spacing_mm: tuple[float, float]
    slice_number: int


def choose(outcomes: Sequence[Outcome], dimension: Dimension) -> Choice | None:
    """Choose the best, the median and the worst case of a dimension; None if no case has all predictions.

    Cases are ranked by the Dice coefficient (mean over the seeds) of the configuration that sees most
    sequences if there is one with both, else by its mean over the configurations; equal ones by name.
    """
    shown = tuple(one for one in outcomes if _parsed(one).dimension == dimension)
    both = [one for one in shown if len(_parsed(one).sequences) > 1]
    ranked_by = both or shown
    common = [name for name in shown[0].values["dice"] if all(name in one.values["dice"] for one in shown)]
    if not common:
        return None
    dice = {name: mean([one.values["dice"][name] for one in ranked_by]) for name in common}
    ordered = sorted(common, key=lambda name: (-dice[name], name))
    by = title_of(both[0].configuration) if both else "the configurations shown (their mean)"
    rule = (
        f"Of {len(ordered)} cases that all of these configurations have predicted, the ones with the "
        f"highest, the median and the lowest Dice of {by}; of an even number, the better of the two in the "
        "middle; equal ones by name."
    )
    return Choice(outcomes=shown, cases=_of_ranks(ordered), rule=rule)


def read_example(findings: Findings, cohort: Cohort, choice: Choice, rank: str) -> Example:
    """Read a chosen case in the slice in which its reference is largest.

    Raises
    ------
    NecrosegError
        If an image or a mask is not there any more, or not what it was.
    """
    name = choice.cases[rank]
    case = load_case(cohort[name])
    reference = _reference(case, findings.record)
    place = int(np.count_nonzero(reference.voxels, axis=(1, 2)).argmax())
    _, row_mm, column_mm = case.grid.spacing_mm
    return Example(
        case=name,
        rank=rank,
        images={str(sequence): volume.voxels[place] for sequence, volume in case.sequences.items()},
        ranges={str(sequence): display_range(volume.voxels) for sequence, volume in case.sequences.items()},
        reference=reference.voxels[place] != 0,
        predictions={one.configuration: _shown(findings, one, case, place) for one in choice.outcomes},
        spacing_mm=(row_mm, column_mm),
        slice_number=place + 1,
    )


def _of_ranks(ordered: list[str]) -> dict[str, str]:
    """Of one case it is the best, of two the best and the worst."""
    ranks = {"best": 0, "median": (len(ordered) - 1) // 2, "worst": len(ordered) - 1}
    chosen: dict[str, str] = {}
    for rank in ("best", "worst", "median"):
        if ordered[ranks[rank]] not in chosen.values():
            chosen[rank] = ordered[ranks[rank]]
    return {rank: chosen[rank] for rank in ranks if rank in chosen}


def _reference(case: Case, record: StudyRecord) -> Volume:
    target, known = record.config.target, record.cases[case.name]
    mask = case.reference if target == "reference" else case.tumour
    if mask is None or not mask.voxels.any():
        raise FileError(f"The {target} mask of {case.name} is gone or empty.")
    are_same = [known.target_sha256 in ("", voxels_sha256(mask))]
    are_same += [
        known.images_sha256[name] == voxels_sha256(image)
        for name, image in case.sequences.items()
        if name in known.images_sha256
    ]
    if not all(are_same):
        raise FileError(f"The images or the {target} mask of {case.name} are not those of the study.")
    return mask


def _shown(findings: Findings, outcome: Outcome, case: Case, place: int) -> Shown:
    first = outcome.of_case(case.name)[0]
    run = Run(configuration=first.configuration, fold=first.fold, seed=first.seed)
    path = named_file(findings.folder / "predictions" / run.out_of_fold, f"{case.name}.nii.gz")
    state = findings.states.get(run.key)
    known = None if state is None else state.predictions_sha256.get(case.name)
    mask = read_mask_on(path, case.grid)
    if mask.was_resampled or known not in (None, file_sha256(path)):
        raise FileError(f"{path.name} in {run.out_of_fold} is not the mask that was scored.")
    return Shown(mask=mask.volume.voxels[place] != 0, dice=first.scores.dice)


def _parsed(outcome: Outcome) -> Configuration:
    return Configuration.parse(outcome.configuration)
