"""Predicts many cases: one that fails never stops the others."""

import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from napari_necroseg.core.case import Case, CaseFiles, Cohort
from napari_necroseg.core.case_names import name_key, named_file
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.scan import list_images
from napari_necroseg.core.cohort.seen_cases import Known, known_in_words
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.errors import NecrosegError, SettingsError, as_mistakes
from napari_necroseg.core.events import CaseDone, CaseFailed, Event, Finished, Warned
from napari_necroseg.core.images.file_image import image_stem
from napari_necroseg.core.masks.components import measure, volume_in_words
from napari_necroseg.core.network.images import check_images, only_needed
from napari_necroseg.core.network.model import Model
from napari_necroseg.core.output import check_out_folder
from napari_necroseg.core.prediction.predict import Prediction, check_sequences, predict
from napari_necroseg.core.project.case_files import MAPS, CaseOutput, Earlier, map_path, write_case
from napari_necroseg.core.project.provenance import record_path


@dataclass(frozen=True, kw_only=True)
class PredictedCohort:
    """What a batch came to.

    Parameters
    ----------
    out
        The folder of the masks.
    done, failed
        Numbers of cases.
    failed_cases
        Names of those that could not be predicted.
    kept
        Where the earlier mask of a case is now, if it may have been a person's; by the case's name.
    seconds
        Of all.
    left_out, most_left_out_ml
        In how many cases parts that reach the threshold are not in the outline, as was chosen, and the most
        that this is in one of them.
    """

    out: Path
    done: int
    failed: int
    seconds: float
    left_out: int
    most_left_out_ml: float
    failed_cases: tuple[str, ...] = ()
    kept: Mapping[str, Path] = field(default_factory=dict)

    def __str__(self) -> str:
        remark = f", {self.failed} not ({', '.join(self.failed_cases)})" if self.failed else ""
        words = f"{self.done} predicted{remark} in {self.seconds:.0f} s; the masks are in {self.out}."
        if self.kept:
            words += f" Earlier masks were kept beside them: {', '.join(self.kept)}."
        if self.left_out:
            most = volume_in_words(self.most_left_out_ml)
            words += (
                f" Small parts are left out of {self.left_out} of them, {most} at most in one (left_out_ml)."
            )
        return words


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is written of each case into the folder `out`.

    ``<case>.nii.gz`` (uint8, on the grid of the ceT1 file) and ``<case>.json`` (how it was made) always;
    ``<case>_probability.nii.gz`` and ``<case>_uncertainty.nii.gz`` (float32) if asked for.
    """

    out: Path
    probability: bool = False
    uncertainty: bool = False


def predict_cohort(
    models: Model | Sequence[Model],
    cohort: Cohort,
    config: PredictConfig,
    wanted: Wanted,
    *,
    stop: threading.Event | None = None,
) -> Generator[Event, None, None]:
    """Segment each case of a cohort and write what was found.

    Parameters
    ----------
    models
        From `load_model`; of several the mean probability counts.
    cohort
        The cases.
    config
        As in `predict`.
    wanted
        What is written, and where.
    stop
        Set it to end the job within two seconds; cases that are written stay, and there is no `Finished`.

    Yields
    ------
    Event
        `Warned` and `Progress` of each case, then its `CaseDone` or `CaseFailed`; a `Warned` if models have
        learned from some of them; `Finished` with a `PredictedCohort`.

    Raises
    ------
    FileError, ResourceError, SettingsError
        If nothing can be written where the masks go, or a file of the cohort would be overwritten; no case is
        read then.
    """
    check_out_folder(wanted.out)
    check_outputs(cohort, wanted)
    yield from (Warned(message=note) for note in _second_masks(cohort, wanted.out))
    models = (models,) if isinstance(models, Model) else tuple(models)
    stop = stop or threading.Event()
    started = time.monotonic()
    failed: list[str] = []
    known: dict[str, Known | None] = {}
    kept: dict[str, Path] = {}
    left_out: list[float] = []
    for number, files in enumerate(cohort, start=1):
        before = time.monotonic()
        try:
            with as_mistakes():
                # Again: a disk that is full by now is told before a case is computed, not after.
                check_out_folder(wanted.out)
                written = yield from _predict_files(models, files, config, wanted, stop)
        except NecrosegError as error:
            failed.append(files.name)
            yield CaseFailed(case=files.name, done=number, total=len(cohort), reason=str(error))
            continue
        if written is None:
            return
        known[files.name] = written.known
        if written.earlier is not None:
            kept[files.name] = written.earlier.kept
        left_out += [written.left_out_ml] if written.left_out_ml else []
        seconds = time.monotonic() - before
        yield CaseDone(case=files.name, done=number, total=len(cohort), seconds=seconds, path=written.path)
    if words := known_in_words(known, len(cohort)):
        yield Warned(message=words)
    yield Finished(
        result=PredictedCohort(
            out=wanted.out,
            done=len(cohort) - len(failed),
            failed=len(failed),
            failed_cases=tuple(failed),
            kept=kept,
            seconds=time.monotonic() - started,
            left_out=len(left_out),
            most_left_out_ml=max(left_out, default=0.0),
        )
    )


def check_outputs(cohort: Cohort, wanted: Wanted) -> None:
    """Refuse to write over a file of a case, or to write one file for two cases.

    Raises
    ------
    SettingsError
        Which file it is.
    """
    used = {path.resolve(): files.name for files in cohort for path in files.paths.values()}
    owner: dict[str, str] = {}
    for files in cohort:
        mask = wanted.out / f"{files.name}.nii.gz"
        written = [mask, *(map_path(mask, name) for name in MAPS if getattr(wanted, name))]
        for path in (*written, record_path(mask)):
            if path.resolve() in used:
                raise SettingsError(
                    f"{path} is a file of the case {used[path.resolve()]}, and would be overwritten; choose "
                    "another folder."
                )
        for path in written:
            other = owner.setdefault(name_key(path.name), files.name)
            if other != files.name:
                raise SettingsError(
                    f"{path.name} would be written of two cases, {other} and {files.name}; leave one of them "
                    "out, or rename it in the table."
                )


def _second_masks(cohort: Cohort, out: Path) -> Iterator[str]:
    """Name what lies in the folder of the masks, belongs to a case, and is not what will be written of it."""
    names = {name_key(files.name): files.name for files in cohort}
    read = {path.resolve() for files in cohort for path in files.paths.values()}
    for path in list_images(out).images if out.is_dir() else ():
        name = names.get(name_key(image_stem(path)))
        is_replaced = name_key(path.name) == name_key(f"{name}.nii.gz")
        if name is not None and not is_replaced and path.resolve() not in read:
            yield (
                f"{path.name} is another mask of the case {name} in {out}, and stays there; scoring refuses "
                "a case with two masks, so move one of them away."
            )


@dataclass(frozen=True, kw_only=True)
class _Written:
    """A mask that was written, whether its models know the case, and the mL that clean-up removed."""

    path: Path
    earlier: Earlier | None
    known: Known
    left_out_ml: float


def _predict_files(
    models: Sequence[Model],
    files: CaseFiles,
    config: PredictConfig,
    wanted: Wanted,
    stop: threading.Event,
) -> Generator[Event, None, _Written | None]:
    """Read, predict and write one case; return None if the job was stopped."""
    for model in models:
        check_sequences(model, files)
    # Masks are not read: a damaged reference does not keep a case from being predicted.
    needed = {sequence for model in models for sequence in model.config.sequences}
    case = load_case(only_needed(files, tuple(needed)))
    for note in case.notes:
        yield Warned(message=f"{case.name}: {note}")
    check_images(case, tuple(needed))
    for event in predict(models, case, config, stop=stop):
        if isinstance(event, Finished):
            made = event.result.provenance
            path, earlier = _write(wanted, case, event.result)
            if earlier is not None:
                yield Warned(message=str(earlier))
            return _Written(
                path=path, earlier=earlier, known=made["trained_on"], left_out_ml=made["left_out_ml"]
            )
        yield event
    return None


def _write(wanted: Wanted, case: Case, prediction: Prediction) -> tuple[Path, Earlier | None]:
    size = measure(prediction.labels.voxels > 0, case.grid)
    output = CaseOutput(
        path=named_file(wanted.out, f"{case.name}.nii.gz"),
        mask=prediction.labels.voxels,
        origin=case.origin,
        record={"case": case.name} | dict(prediction.provenance) | {"size": asdict(size)},
        maps={name: getattr(prediction, name).voxels for name in MAPS if getattr(wanted, name)},
    )
    return output.path, write_case(output)
