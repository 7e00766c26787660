"""The tools for the mask in work: one list, which buttons, keys and the list of keys are made from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.layers import Labels
from psygnal import Signal

ICONS = Path(__file__).parents[2] / "icons"


@dataclass(frozen=True, kw_only=True)
class ToolEntry:
    """A tool: its icon, its key while the mask is the active layer, and what it does.

    `icon` is the name of a file in `ICONS`, without its end; `key` as napari writes it. A tool that stays
    chosen, such as the brush, names napari's `mode` for it; its key is napari's own. `at_pointer` is what the
    key does instead, for a tool that acts where the pointer is.
    """

    name: str
    title: str
    key: str
    help: str
    icon: str
    act: Callable[[], object]
    mode: str = ""
    at_pointer: Callable[[], object] | None = None

    @property
    def shown_key(self) -> str:
        """The key as a person reads it."""
        return self.key.replace("-", "+")

    @property
    def hint(self) -> str:
        """The title, key and explanation."""
        key = f" ({self.shown_key})" if self.key else ""
        return f"{self.title}{key}\n{self.help}"


class ToolRack:
    """All tools that there are now, in their order; `changed` is emitted when one joins or leaves."""

    changed = Signal()

    def __init__(self) -> None:
        self._entries: dict[str, ToolEntry] = {}

    @property
    def entries(self) -> tuple[ToolEntry, ...]:
        """The tools in their order."""
        return tuple(self._entries.values())

    def join(self, *entries: ToolEntry) -> None:
        """Add tools; one takes the place of another of its name."""
        self._entries.update({entry.name: entry for entry in entries})
        self.changed.emit()

    def leave(self, *entries: ToolEntry) -> None:
        """Remove tools, unless others have taken their place."""
        for entry in entries:
            if self._entries.get(entry.name) is entry:
                del self._entries[entry.name]
        self.changed.emit()

    def bind(self, mask: Labels) -> None:
        """Bind the keys to a mask, which has those of napari's own tools already."""
        for entry in self.entries:
            if entry.key and not entry.mode:
                mask.bind_key(entry.key, self._action(entry.name), overwrite=True)

    def _action(self, name: str) -> Callable[[Any], None]:
        """Return the function of a key; napari needs one with a name, which a partial lacks."""

        def use(_layer: Any) -> None:
            entry = self._entries.get(name)
            if entry is not None:
                (entry.at_pointer or entry.act)()

        return use
