"""Shows the events of a job: JSON lines on standard output, text for people on standard error."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing

from napari_necroseg.cli._names import INTERRUPTED, NOTHING_LEFT, USER_ERROR
from napari_necroseg.cli._streams import print_record, printable, say
from napari_necroseg.core.display import duration
from napari_necroseg.core.errors import SYSTEM_ERRORS, NecrosegError, mistake_of
from napari_necroseg.core.events import (
    CaseFailed,
    Checkpointed,
    Event,
    Finished,
    Progress,
    Started,
    TrainingStep,
    Warned,
    to_record,
)
from napari_necroseg.core.study.run import RunAdvanced, RunFailed

SECONDS_BETWEEN_LINES = 5.0
BAR_CHARACTERS = 28


def present(
    make_events: Callable[[], Generator[Event]],
    *,
    as_json: bool,
    left_behind: Callable[[], str] | None = None,
) -> int:
    """Run a job to its end, and show its events.

    `make_events`: starts the job; it may raise an error of the user, as may the job. `as_json`: whether to
    print one JSON object per line to standard output. `left_behind`: says after an interruption what is left
    of the job; if None, its events decide.
    Returns the exit code: 0; 2 for a mistake of the user, an error of the system, or a case or run that
    failed; 130 if interrupted.
    Raises ReaderGoneError if the output has been closed by its reader.
    """
    console = Console()
    n_failed = 0
    try:
        with closing(make_events()) as events:
            for event in events:
                n_failed += isinstance(event, CaseFailed | RunFailed)
                console.show(event)
                if as_json:
                    print_record(to_record(event))
    except KeyboardInterrupt:
        said = console.left_behind if left_behind is None else left_behind()
        console.line(f"necroseg: interrupted; {said}")
        return INTERRUPTED
    except (NecrosegError, *SYSTEM_ERRORS) as error:
        mistake = mistake_of(error)
        if mistake is None:
            raise
        console.line(f"necroseg: {' '.join(str(mistake).split())}")
        return USER_ERROR
    return USER_ERROR if n_failed else 0


class Console:
    """Standard error, with a bar that redraws itself on a terminal, and a line now and then in a log.

    `left_behind`: a sentence on what is left of the job if it is interrupted now.
    """

    def __init__(self) -> None:
        self.left_behind = NOTHING_LEFT
        self._redraws = sys.stderr is not None and sys.stderr.isatty()
        self._has_bar = False
        self._last_s = -SECONDS_BETWEEN_LINES

    def show(self, event: Event) -> None:
        """Show one event as text."""
        match event:
            case Started(message=message) | Warned(message=message):
                self.line(f"Note: {message}" if isinstance(event, Warned) else message)
            case Progress(done=done, total=total, message=message):
                self.bar(done, total, message=message)
            case TrainingStep():
                self._training(event)
            case Checkpointed(iteration=iteration):
                kept = f"what was learned in {iteration:,} iterations is kept"
                self.left_behind = f"{kept}; the same command with --resume goes on."
            case RunAdvanced(share=share):
                self.bar(share, 1.0, message=str(event))
            case Finished(result=result):
                self.line(str(result))
            case _:
                self.line(str(event))

    def bar(self, done: float, total: float, *, message: str) -> None:
        """Draw how far the job is; in a log at most one line in five seconds."""
        share = min(1.0, done / total) if total else 1.0
        if self._redraws:
            filled = round(share * BAR_CHARACTERS)
            bar = "#" * filled + "." * (BAR_CHARACTERS - filled)
            say(f"\r\x1b[K[{bar}] {share:4.0%}  {printable(message)}")
            self._has_bar = True
        elif time.monotonic() - self._last_s >= SECONDS_BETWEEN_LINES:
            self._last_s = time.monotonic()
            self.line(f"{share:4.0%}  {message}")

    def line(self, text: str) -> None:
        """Write a line, below the bar if there is one."""
        say(("\n" if self._has_bar else "") + printable(text) + "\n")
        self._has_bar = False

    def _training(self, step: TrainingStep) -> None:
        left = f", {duration(step.seconds_left)} left" if step.seconds_left is not None else ""
        message = f"iteration {step.iteration}, loss {step.loss:.3f}{left}"
        if step.seconds_left is not None:
            self.bar(step.seconds, step.seconds + step.seconds_left, message=message)
        else:
            self.bar(step.iteration, step.iterations or step.iteration, message=message)
