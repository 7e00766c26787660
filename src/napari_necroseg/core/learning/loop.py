"""The steps of a training: how it goes on, pauses, looks at other patients, and ends."""

import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from napari_necroseg.core.augment.source import Source
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Checkpointed, Event, Paused, TrainingStep, Validated, Warned
from napari_necroseg.core.learning.device import used_memory_gib
from napari_necroseg.core.learning.interrupt import Wishes, check
from napari_necroseg.core.learning.learner import Learner
from napari_necroseg.core.learning.patches import batches
from napari_necroseg.core.plan import Plan, duration

_SECONDS_BETWEEN_EVENTS = 0.1
# So much work is lost at most when the computer fails.
_SECONDS_BETWEEN_CHECKPOINTS = 30.0
# Kept back from a time limit for writing the model.
_SECONDS_TO_SAVE = 0.5
_SECONDS_BETWEEN_LOOKS = 0.05
# A fine-tuning that costs more than this is told.
_FORGOTTEN_DICE = 0.05

Validate = Callable[[], Generator[Event, None, Mapping[str, float]]]


@dataclass(kw_only=True)
class State:
    """How far a training is: mini-batches done, their seconds, last loss and validation Dice, its history.

    `validation_s` is what the last look at the validation cases took.
    """

    iteration: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    dice: float = math.nan
    validation_s: float = 0.0
    history: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a training does beside its steps.

    Parameters
    ----------
    clock
        Counts its seconds.
    wishes
        What the person wants of it meanwhile.
    save
        Writes a checkpoint.
    validate
        Yields events, and returns the Dice coefficient of each validation case; None without such cases.
    is_tuning
        Whether the network was trained before.
    """

    clock: "Clock"
    wishes: Wishes
    save: Callable[[State], None]
    validate: Validate | None = None
    is_tuning: bool = False


class Clock:
    """Seconds of a training: those before it was interrupted included, pauses left out."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._zero = time.monotonic() - seconds

    def seconds(self) -> float:
        """Return the seconds until now."""
        return time.monotonic() - self._zero

    def set_back(self, seconds: float) -> None:
        """Let it be `seconds` now."""
        self._zero = time.monotonic() - seconds


def run_steps(
    learner: Learner, sources: tuple[Source, ...], plan: Plan, state: State, around: Surroundings
) -> Generator[Event, None, None]:
    """Do the steps that are left, and keep `state` up to date.

    What was trained before is validated before the first step, too, so that it shows what it forgets.

    Yields
    ------
    Event
        `TrainingStep` at most ten times a second, `Validated` every `validation_minutes`, `Checkpointed`,
        `Paused`.
    """
    losses: list[Tensor] = []
    clock = around.clock
    if around.validate and around.is_tuning and state.iteration == 0:
        yield from _validate(learner, around, state)
    before = reported = saved = validated = clock.seconds()
    yield from _tell_reading(plan, state, before)
    for sample in batches(sources, plan, first=state.iteration):
        losses.append(learner.step(sample, _progress(plan, state.iteration, before)))
        state.iteration, state.seconds = state.iteration + 1, clock.seconds()
        is_last = _is_last(plan, state, around.wishes, step_s=state.seconds - before)
        before = state.seconds
        if is_last or state.seconds - reported >= _SECONDS_BETWEEN_EVENTS:
            yield _report(plan, state, losses, seconds=state.seconds - reported)
            losses, reported = [], state.seconds
        if around.validate and (is_last or state.seconds - validated >= plan.config.validation_minutes * 60):
            yield from _validate(learner, around, state)
            before = reported = validated = clock.seconds()
        if is_last:
            yield from _tell_forgetting(state)
            return
        if state.seconds - saved >= _SECONDS_BETWEEN_CHECKPOINTS or around.wishes.pause.is_set():
            around.save(state)
            yield Checkpointed(iteration=state.iteration)
            saved = state.seconds
        if around.wishes.pause.is_set():
            yield from _pause(around.wishes, state)
            clock.set_back(state.seconds)


def _is_last(plan: Plan, state: State, wishes: Wishes, *, step_s: float) -> bool:
    """Whether the training ends here: at its length, before its limit would be passed, or as wished."""
    is_done = plan.iterations is not None and state.iteration >= plan.iterations
    # One more step takes about as long as the last, and so does the validation at the end.
    ahead_s = step_s + state.validation_s + _SECONDS_TO_SAVE
    is_late = plan.seconds is not None and state.seconds + ahead_s > plan.seconds
    return is_done or is_late or wishes.keep.is_set()


def _progress(plan: Plan, iteration: int, elapsed_s: float) -> float:
    """How much of the training is behind: by its iterations where these are fixed, so that it can repeat."""
    if plan.iterations is not None:
        return iteration / plan.iterations
    return elapsed_s / plan.seconds if plan.seconds else 0.0


def _report(plan: Plan, state: State, losses: list[Tensor], *, seconds: float) -> TrainingStep:
    state.loss = float(torch.stack(losses).mean())
    if not math.isfinite(state.loss):
        raise NecrosegError(
            f"The training diverged: after {state.iteration} iterations the loss is not a number. Train "
            f"again with a learning rate below {plan.config.learning_rate:g}, or with the precision fp32."
        )
    state.history.append(f"{state.iteration},{state.seconds:.3f},{state.loss:.6f},")
    return TrainingStep(
        iteration=state.iteration,
        iterations=plan.iterations,
        loss=state.loss,
        seconds=state.seconds,
        seconds_left=_seconds_left(plan, state.iteration, state.seconds),
        samples_per_s=len(losses) * plan.config.batch_size / seconds if seconds > 0 else None,
        memory_gib=used_memory_gib(plan.device),
    )


def _seconds_left(plan: Plan, iteration: int, elapsed_s: float) -> float | None:
    if plan.seconds is not None:
        return max(0.0, plan.seconds - elapsed_s)
    if plan.iterations is None:
        return None
    return elapsed_s / iteration * (plan.iterations - iteration)


def _validate(learner: Learner, around: Surroundings, state: State) -> Generator[Event, None, None]:
    assert around.validate is not None
    began_s = around.clock.seconds()
    learner.network.eval()
    dice = yield from around.validate()
    learner.network.train()
    state.validation_s = around.clock.seconds() - began_s
    # As everywhere: nothing to find and nothing found is undefined, and in no mean.
    defined = [value for value in dice.values() if not math.isnan(value)]
    mean = state.dice = sum(defined) / len(defined) if defined else math.nan
    state.history.append(f"{state.iteration},{state.seconds:.3f},,{mean:.6f}")
    yield Validated(iteration=state.iteration, dice=dict(dice), mean_dice=mean)


def _tell_reading(plan: Plan, state: State, seconds: float) -> Generator[Event, None, None]:
    """Tell a time limit of which most is over before the first step."""
    if state.iteration == 0 and plan.seconds is not None and seconds > plan.seconds / 2:
        yield Warned(
            message=f"Reading the cases took {duration(seconds)} of the {duration(plan.seconds)} that the "
            "training may take: the model will have learned little. Give it more minutes."
        )


def _tell_forgetting(state: State) -> Generator[Event, None, None]:
    before = _dice_at_start(state)
    if state.dice < before - _FORGOTTEN_DICE:
        yield Warned(
            message=f"The mean Dice of the watched cases fell from {before:.3f} to {state.dice:.3f}: "
            "the model forgets. Train together with some of the earlier cases, or for a shorter time."
        )


def _dice_at_start(state: State) -> float:
    """Return the mean Dice before the first step, of which an interrupted training knows by its history."""
    columns = [line.split(",") for line in state.history]
    return next((float(dice) for iteration, _, _, dice in columns if iteration == "0" and dice), math.nan)


def _pause(wishes: Wishes, state: State) -> Generator[Event, None, None]:
    """Wait until the person wants something else; the memory stays in use, the processor does not."""
    yield Paused(iteration=state.iteration)
    while wishes.pause.is_set() and not wishes.keep.is_set():
        check(wishes.stop)
        time.sleep(_SECONDS_BETWEEN_LOOKS)
