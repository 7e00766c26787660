"""Reading records whose absence or damage means no more than that nothing is known."""

import json
from pathlib import Path


def read_quietly(path: Path, *, most_bytes: int) -> dict[str, object]:
    """Return the names and values of a JSON file; none if it cannot be read, is larger, or holds others."""
    try:
        if path.stat().st_size > most_bytes:
            return {}
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
