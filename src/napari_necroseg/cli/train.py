"""The commands ``train`` and ``plan``: train one network, or say what that would cost."""

import argparse
import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_necroseg.cli._names import NOTHING_LEFT
from napari_necroseg.cli._options import (
    add_cohort_options,
    add_options,
    choose_named,
    chosen,
    preset_defaults,
    read_cases,
    split_names,
)
from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import TrainConfig, train_preset
from napari_necroseg.core.errors import CohortError, NecrosegError, SettingsError
from napari_necroseg.core.events import Event
from napari_necroseg.core.plan import SAME_NETWORK, fine_tuned, fine_tuning_preset, seen_by

if TYPE_CHECKING:
    from napari_necroseg.core.training.start import PreparedTraining


FIELDS = (
    "preset",
    "dimension",
    "sequences",
    "target",
    "minutes",
    "steps",
    "slices",
    "patch_side",
    "batch_size",
    "learning_rate",
    "seed",
    "device",
    "threads",
    "precision",
    "validation_minutes",
)


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="new folder for the trained model"
    )
    add_plan_arguments(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on with the training in --out that was interrupted"
    )


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training but its output, which both commands have."""
    add_cohort_options(parser, has_folds=True)
    parser.add_argument(
        "--validate",
        metavar="A,B",
        help="cases left out of the training, and scored from time to time",
    )
    parser.add_argument(
        "--augment", type=Path, metavar="FILE", help="augmentation saved by the dock Augmentation preview"
    )
    parser.add_argument(
        "--from",
        type=Path,
        metavar="RUN",
        dest="start_from",
        help="fine-tune this trained model: its network, sequences, target and whitening are taken over, "
        "some of its own cases that are left out now are scored while it runs, and fast takes a tenth of its "
        "learning rate",
    )
    add_options(parser, TrainConfig, names=FIELDS, defaults=preset_defaults(FIELDS))


def train_job(options: argparse.Namespace) -> Generator[Event]:
    """Train on the chosen cases."""
    prepared, cohort, validation = _prepared(options)
    plan = prepared.plan
    if plan.seconds is not None:
        # The limit is for the whole command, and starting it and importing torch has taken some of it.
        plan = replace(plan, seconds=plan.seconds - (time.monotonic() - options.started_s))
    return replace(prepared, plan=plan).train(
        cohort,
        run=options.out,
        validation=validation if len(validation) else prepared.to_watch(cohort),
        on_existing="resume" if options.resume else "refuse",
    )


def train_left_behind(options: argparse.Namespace) -> str:
    """Say, by the files on disk, what is left of the training if it is interrupted now."""
    from napari_necroseg.core.project.model_folder import CHECKPOINT_NAME, RECORD_NAME
    from napari_necroseg.core.training.checkpoint import read_progress

    if (options.out / RECORD_NAME).is_file():
        return f"the training was done, and its model is in {options.out}."
    if not (options.out / CHECKPOINT_NAME).is_file():
        return NOTHING_LEFT
    try:
        kept = f"what was learned in {read_progress(options.out).iteration:,} iterations is kept"
    except NecrosegError as error:
        return f"the checkpoint in {options.out} cannot be resumed. {error}"
    return f"{kept}; the same command with --resume goes on."


def _prepared(options: argparse.Namespace) -> "tuple[PreparedTraining, Cohort, Cohort]":
    """Return the chosen training, all cases of the cohort, and those to validate on."""
    from napari_necroseg.core.network.model import load_model
    from napari_necroseg.core.training.start import prepare_training

    model = None if options.start_from is None else load_model(options.start_from)
    config = read_config(options, None if model is None else model.config)
    everything = read_cases(options)
    validation = everything.only(split_names(options.validate or ""))
    cohort = choose_cases(everything, options)
    cohort = cohort.only(tuple(name for name in cohort.names if name not in validation.names))
    return prepare_training(config, cohort, start_from=model), everything, validation


def read_config(options: argparse.Namespace, learned: TrainConfig | None = None) -> TrainConfig:
    """Merge the preset, the given options, and the settings that the model to start from dictates."""
    from napari_necroseg.core.project.augmentation_file import read_augment

    given = chosen(options, FIELDS)
    if learned is not None:
        given = {name: getattr(learned, name) for name in SAME_NETWORK} | given
    if options.augment is not None:
        given["augment"] = read_augment(options.augment)
    named = TrainConfig.checked(**{name: given[name] for name in ("preset", "dimension") if name in given})
    if "steps" in given and "minutes" not in given:
        given["minutes"] = None
    preset = train_preset if learned is None else fine_tuning_preset
    config = preset(named.preset, named.dimension).changed(**given | _as_begun(options))
    if learned is None:
        return config
    _check_given(config, learned, given=given)
    return fine_tuned(config, learned)


def _as_begun(options: argparse.Namespace) -> dict[str, object]:
    """Return the whitening of the training to be resumed: earlier versions of `fast` whitened differently."""
    if not getattr(options, "resume", False):
        return {}
    from napari_necroseg.core.project.model_folder import CHECKPOINT_NAME
    from napari_necroseg.core.training.checkpoint import read_progress

    if not (options.out / CHECKPOINT_NAME).exists():
        return {}
    begun = read_progress(options.out).config
    return {"whitening": begun.whitening} if begun.whitens_images else {}


def choose_cases(cohort: Cohort, options: argparse.Namespace) -> Cohort:
    """Return the cases to train on, by name or by the fold that is left out."""
    return without_fold(cohort, options.fold) if options.fold else choose_named(cohort, options)


def without_fold(cohort: Cohort, fold: str) -> Cohort:
    """Return the cohort without fold K of N, by its fold column.

    Raises SettingsError if `fold` is not ``K/N`` with K from 1 to N. Raises CohortError if a case has no
    fold, no case is in fold K, or the highest fold is not N.
    """
    left, _, total = fold.partition("/")
    if not (left.isdigit() and total.isdigit() and 1 <= int(left) <= int(total)):
        raise SettingsError(f"--fold wants K/N with K from 1 to N, such as 1/6, not {fold!r}.")
    missing = [case.name for case in cohort if case.fold is None]
    if missing:
        raise CohortError(
            f"--fold needs a fold for every case, but {len(missing)} of {len(cohort)} have none "
            f"({missing[0]} first); fill in the fold column of the cohort."
        )
    highest = max(case.fold or 0 for case in cohort)
    if highest != int(total):
        raise CohortError(f"--fold {fold} speaks of {total} folds, but the highest is {highest}.")
    if int(left) not in {case.fold for case in cohort}:
        raise CohortError(f"--fold {fold}: no case is in fold {left}, so none would be left out.")
    return cohort.without(tuple(case.name for case in cohort if case.fold == int(left)))


def _check_given(config: TrainConfig, learned: TrainConfig, *, given: Mapping[str, object]) -> None:
    """Refuse an option that contradicts the model to start from."""
    taken = {name: getattr(learned, name) for name in ("dimension", "sequences")} | seen_by(learned)
    for name, value in taken.items():
        chosen_value = getattr(config, name)
        if name in given and chosen_value != value:
            option, was, wanted = "--" + name.replace("_", "-"), _in_option(value), _in_option(chosen_value)
            raise SettingsError(
                f"The model of --from was trained with {option} {was}, so {option} {wanted} contradicts it; "
                f"leave {option} out."
            )


def _in_option(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def plan_job(options: argparse.Namespace) -> Generator[Event]:
    """Measure a few steps, and print the plan."""
    from napari_necroseg.core.cohort.seen_cases import Learned
    from napari_necroseg.core.training.cost import plan_training
    from napari_necroseg.core.training.preflight import name_left_out

    prepared, cohort, validation = _prepared(options)
    earlier = Learned() if prepared.model is None else prepared.model.learned
    yield from name_left_out(prepared.plan, cohort, validation=validation, earlier=earlier)
    yield from plan_training(prepared.plan, cohort, hardware=prepared.hardware)
