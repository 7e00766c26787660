"""How the chosen models are applied: as their preset wants, but for what a person has chosen."""

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QSignalBlocker

from napari_necroseg.core.config import BY_PRESET, Config, train_preset, usual_prediction
from napari_necroseg.core.io.runrecord import trained_config
from napari_necroseg.widgets.predict.live_outline import STEERS
from napari_necroseg.widgets.shared.forms import ConfigForm
from napari_necroseg.widgets.shared.runs import members_of


class Recipe:
    """Keeps a form in line with the preset of the chosen models.

    Parameters
    ----------
    form
        Of a `PredictConfig`; whatever is changed in it from now on is the person's own choice.
    """

    def __init__(self, form: ConfigForm) -> None:
        self._form = form
        self._own: set[str] = set()
        self._last = form.config()
        form.changed.connect(self._on_form)

    def follow(self, runs: Sequence[Path]) -> None:
        """Choose what these models want; one that does not say how it was trained wants nothing.

        The form tells nobody: the outline that is shown may be another model's.
        """
        trained = [trained_config(next(iter(members_of(run)), run)) for run in runs]
        usual = usual_prediction(*[one or train_preset("paper") for one in trained])
        wanted = {name: getattr(usual, name) for name in BY_PRESET if name not in self._own}
        with QSignalBlocker(self._form):
            self._form.set_config(self._form.config().changed(**wanted))
        self._last = self._form.config()

    def steering(self) -> dict[str, object]:
        """Return what holds for an outline, whichever model it is of: not what a preset wants."""
        names = [name for name in STEERS if name not in BY_PRESET or name in self._own]
        return {name: getattr(self._last, name) for name in names}

    def _on_form(self) -> None:
        before, self._last = self._last, self._form.config()
        self._own |= _differing(before, self._last)


def _differing(before: Config, after: Config) -> set[str]:
    return {name for name in BY_PRESET if getattr(before, name) != getattr(after, name)}
