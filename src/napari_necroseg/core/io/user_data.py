"""Where this program keeps what belongs to a person and to no project."""

import os
from pathlib import Path

# Tests, and people whose home is not theirs alone, name another folder by it.
DATA_VARIABLE = "NECROSEG_DATA"


def user_data_folder() -> Path:
    """Return the folder for the data of the person who is logged in; it is not made here."""
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_data_path("napari-necroseg", appauthor=False)
