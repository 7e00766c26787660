from pathlib import Path

import pytest

from napari_necroseg.core.disk import file_lock, is_locked
from napari_necroseg.core.errors import FileError


def test_one_may_be_within_and_the_lock_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    assert not is_locked(path)
    with file_lock(path, "It"):
        assert is_locked(path)
        with (
            pytest.raises(FileError, match="It is under way in another window or program"),
            file_lock(path, "It"),
        ):
            pass
    assert not path.exists()
