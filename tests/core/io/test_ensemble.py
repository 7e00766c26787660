import json
from pathlib import Path

import pytest

from napari_necroseg.core.errors import ModelError
from napari_necroseg.core.io.ensemble import ENSEMBLE_NAME, expand_runs, write_ensemble


def make_run(folder: Path, content: bytes = b"weights") -> Path:
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(content)
    return folder


def test_an_ensemble_stands_for_its_models_also_when_all_was_moved(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "old" / "models" / name, name.encode()) for name in ("a", "b")]
    write_ensemble(tmp_path / "old" / "ensembles" / "both", runs)
    assert expand_runs([tmp_path / "old" / "ensembles" / "both"]) == runs
    (tmp_path / "old").rename(tmp_path / "new")
    other = make_run(tmp_path / "other")
    expanded = expand_runs([other, tmp_path / "new" / "ensembles" / "both"])
    assert expanded == [other, tmp_path / "new" / "models" / "a", tmp_path / "new" / "models" / "b"]


def test_a_model_that_is_gone_or_another_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path / "models" / "a")
    write_ensemble(tmp_path / "e", [run])
    (run / "weights.safetensors").write_bytes(b"others")
    with pytest.raises(ModelError, match="names the model a, which is gone or has changed"):
        expand_runs([tmp_path / "e"])
    (run / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match="gone or has changed"):
        expand_runs([tmp_path / "e"])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format_version": 2, "members": []}',
        '{"members": [{"run": "", "weights_sha256": "x"}]}',
    ],
)
def test_a_damaged_list_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / ENSEMBLE_NAME).write_text(content)
    with pytest.raises(ModelError, match="not a list of models that this version can read"):
        expand_runs([tmp_path])


def test_the_list_can_be_read_by_others(tmp_path: Path) -> None:
    write_ensemble(tmp_path / "e", [make_run(tmp_path / "a")])
    written = json.loads((tmp_path / "e" / ENSEMBLE_NAME).read_text())
    assert written["members"][0]["run"] == "../a"
