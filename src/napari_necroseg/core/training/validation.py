"""Scores a network during its training, by predicting whole cases that it is not trained on."""

from collections.abc import Generator

from napari_necroseg.core.case import Case, Cohort
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import usual_prediction
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.events import Event, Finished, Progress, ValidationPicture, Warned
from napari_necroseg.core.language import said
from napari_necroseg.core.network.device import Hardware
from napari_necroseg.core.network.images import check_images, image_notes, only_needed
from napari_necroseg.core.network.model import Model
from napari_necroseg.core.network.stopping import Controls, check
from napari_necroseg.core.plan import Plan
from napari_necroseg.core.prediction.predict import predict
from napari_necroseg.core.scoring.overlap import count, dice
from napari_necroseg.core.volume import Volume


def dice_of_cases(
    model: Model, cases: tuple[Case, ...], *, hardware: Hardware, controls: Controls
) -> Generator[Event, None, dict[str, float]]:
    """Predict each case with a network as it is; return the Dice coefficients by the cases' names.

    Yields `Progress`, and the `ValidationPicture` of the case `controls.picture`.
    """
    # Mirrored images would take three more passes of the training's time.
    config = usual_prediction(model.config).changed(
        device=hardware.device, threads=hardware.threads, tta=False
    )
    found: dict[str, float] = {}
    for case in cases:
        *_, last = predict(model, case, config, stop=controls.stop)
        check(controls.stop)
        assert isinstance(last, Finished)
        labels: Volume = last.result.labels
        mask = case.mask(model.config.target)
        assert mask is not None, "checked when the cases were loaded"
        found[case.name] = dice(count(mask.voxels > 0, labels.voxels > 0))
        if case.name == controls.picture:
            yield ValidationPicture(case=case.name, labels=labels, dice=found[case.name])
        yield Progress(done=len(found), total=len(cases), message=f"Validation: {case.name} is predicted")
    return found


def load_validation_cases(
    plan: Plan, cohort: Cohort, *, trained: Cohort, controls: Controls
) -> Generator[Event, None, tuple[Case, ...]]:
    """Load the validation cases.

    One of a training case's patient, without a target mask, or with an image of one value is a `CohortError`.
    """
    patients = {files.patient_or_name: files.name for files in trained}
    for files in cohort:
        other = patients.get(files.patient_or_name)
        if other is not None:
            is_same = other == files.name
            reason = "it is one of the training cases" if is_same else f"its patient is that of {other}"
            raise CohortError(f"{files.name} cannot be validated on: {reason}.")
    cases = []
    for number, files in enumerate(cohort):
        check(controls.stop)
        yield Progress(done=number, total=len(cohort), message=f"Reading {files.name}")
        case = load_case(only_needed(files, plan.config.sequences, target=plan.config.target))
        if case.mask(plan.config.target) is None:
            raise CohortError(f"{files.name} cannot be validated on: it has no {plan.config.target} mask.")
        check_images(case, plan.config.sequences)
        for note in image_notes(case, plan.config):
            yield Warned(message=said("{case}: {note}", case=case.name, note=note))
        cases.append(case)
    return tuple(cases)
