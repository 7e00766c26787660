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
from napari_necroseg.core.language import said
from napari_necroseg.core.masks.components import measure, volume_in_words
from napari_necroseg.core.network.images import check_images, only_needed
from napari_necroseg.core.network.model import Model
from napari_necroseg.core.output import check_out_folder
from napari_necroseg.core.prediction.predict import Prediction, check_sequences, predict
from napari_necroseg.core.project.case_files import MAPS, CaseOutput, Earlier, map_path, write_case
from napari_necroseg.core.project.provenance import record_path


@dataclass(frozen=True, kw_only=True)
class PredictedCohort:
    """The result of predicting a cohort: numbers of cases, and names of those that failed."""

    out: Path
    done: int
    failed: int
    seconds: float
    # In how many cases clean-up removed parts above the threshold, and the most in one of them.
    left_out: int
    most_left_out_ml: float
    failed_cases: tuple[str, ...] = ()
    # By case: where its earlier mask is now, if a person may have drawn it.
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


def predict_cohort(  # noqa: PLR0917  # as the guide shows it
    model: Model | Sequence[Model],
    cohort: Cohort,
    config: PredictConfig | None = None,
    *,
    out: str | Path,
    probability: bool = False,
    uncertainty: bool = False,
    stop: threading.Event | None = None,
) -> Generator[Event, None, None]:
    """Segment each case of a cohort and write the masks; a case that fails does not stop the others.

    It writes ``<case>.nii.gz`` (uint8, on the grid of the ceT1 file) and ``<case>.json`` (how it was made).

    Parameters
    ----------
    model
        One model from `load_model`, or several, whose mean probability counts.
    cohort
        The cases.
    config
        As in `predict`.
    out
        The folder of the masks.
    probability, uncertainty
        Whether to write ``<case>_probability.nii.gz`` and ``<case>_uncertainty.nii.gz`` (float32), too.
    stop
        Set it to end the job within two seconds; cases that are written stay, and there is no `Finished`.

    Yields
    ------
    Event
        `Warned` and `Progress` of each case, then its `CaseDone` or `CaseFailed`; a `Warned` if models were
        trained on some of them; `Finished` with a `PredictedCohort`.

    Raises
    ------
    FileError, ResourceError, SettingsError
        If the masks cannot be written there, or a file of the cohort would be overwritten; no case is read
        then.
    """
    chosen = {"probability": probability, "uncertainty": uncertainty}
    output = _Output(out=Path(out), maps=tuple(name for name in MAPS if chosen[name]))
    check_out_folder(output.out)
    _check_outputs(cohort, output)
    yield from (Warned(message=note) for note in _second_masks(cohort, output.out))
    models = (model,) if isinstance(model, Model) else tuple(model)
    stop = stop or threading.Event()
    started = time.monotonic()
    written: dict[str, _Written | None] = {}
    for number, files in enumerate(cohort, start=1):
        before = time.monotonic()
        try:
            with as_mistakes():
                # Again: a disk that is full by now is noticed before a case is computed, not after.
                check_out_folder(output.out)
                one = yield from _predict_files(models, files, config=config, output=output, stop=stop)
        except NecrosegError as error:
            written[files.name] = None
            yield CaseFailed(case=files.name, done=number, total=len(cohort), reason=str(error))
            continue
        if one is None:
            return
        written[files.name] = one
        seconds = time.monotonic() - before
        yield CaseDone(case=files.name, done=number, total=len(cohort), seconds=seconds, path=one.path)
    done = {name: one for name, one in written.items() if one is not None}
    if words := known_in_words({name: one.known for name, one in done.items()}, len(cohort)):
        yield Warned(message=words)
    left_out = [one.left_out_ml for one in done.values() if one.left_out_ml]
    yield Finished(
        result=PredictedCohort(
            out=output.out,
            done=len(done),
            failed=len(written) - len(done),
            failed_cases=tuple(name for name in written if name not in done),
            kept={name: one.earlier.kept for name, one in done.items() if one.earlier is not None},
            seconds=time.monotonic() - started,
            left_out=len(left_out),
            most_left_out_ml=max(left_out, default=0.0),
        )
    )


@dataclass(frozen=True, kw_only=True)
class _Output:
    """The folder of the masks, and the maps that are written beside each."""

    out: Path
    maps: tuple[str, ...]


def _check_outputs(cohort: Cohort, output: _Output) -> None:
    """Refuse to write over a file of a case, or to write one file for two cases."""
    used = {path.resolve(): files.name for files in cohort for path in files.paths.values()}
    owner: dict[str, str] = {}
    for files in cohort:
        mask = output.out / f"{files.name}.nii.gz"
        written = [mask, *(map_path(mask, name) for name in output.maps)]
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
                    f"{path.name} would be written for two cases, {other} and {files.name}; leave one of "
                    "them out, or rename it in the table."
                )


def _second_masks(cohort: Cohort, out: Path) -> Iterator[str]:
    """Name the files in the folder that are masks of a case, too, and that no new mask replaces."""
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
    *,
    config: PredictConfig | None,
    output: _Output,
    stop: threading.Event,
) -> Generator[Event, None, _Written | None]:
    """Read, predict and write one case; return None if the job was stopped."""
    for model in models:
        check_sequences(model, files)
    # Masks are not read: a damaged reference does not keep a case from being predicted.
    needed = {sequence for model in models for sequence in model.config.sequences}
    case = load_case(only_needed(files, tuple(needed)))
    for note in case.notes:
        yield Warned(message=said("{case}: {note}", case=case.name, note=note))
    check_images(case, tuple(needed))
    for event in predict(models, case, config, stop=stop):
        if isinstance(event, Finished):
            made = event.result.provenance
            path, earlier = _write(output, case, prediction=event.result)
            if earlier is not None:
                yield Warned(message=str(earlier))
            return _Written(
                path=path, earlier=earlier, known=made["trained_on"], left_out_ml=made["left_out_ml"]
            )
        yield event
    return None


def _write(output: _Output, case: Case, *, prediction: Prediction) -> tuple[Path, Earlier | None]:
    size = measure(prediction.labels.voxels > 0, case.grid)
    written = CaseOutput(
        path=named_file(output.out, f"{case.name}.nii.gz"),
        mask=prediction.labels.voxels,
        origin=case.origin,
        record={"case": case.name} | dict(prediction.provenance) | {"size": asdict(size)},
        maps={name: getattr(prediction, name).voxels for name in output.maps},
    )
    return written.path, write_case(written)
