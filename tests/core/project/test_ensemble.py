import json
from pathlib import Path

import pytest

from napari_necroseg.core.errors import ModelError
from napari_necroseg.core.files import file_sha256
from napari_necroseg.core.project import models
from napari_necroseg.core.project.models import ENSEMBLE_NAME, distinct_runs, expand_runs, write_ensemble


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


def test_a_model_counts_once_however_it_is_named(tmp_path: Path) -> None:
    a, b = (make_run(tmp_path / name, name.encode()) for name in "ab")
    copy = make_run(tmp_path / "copy", b"a")
    (tmp_path / "link").symlink_to(a, target_is_directory=True)
    write_ensemble(tmp_path / "both", [a, b])
    runs, words = distinct_runs([a, tmp_path / "link", copy, tmp_path / "both"])
    assert runs == [a, b]
    assert words == "Given more than once, but used once: the model a (4 times)."
    assert distinct_runs([a, b]) == ([a, b], "")


def test_three_thousand_times_one_model_are_one_and_read_once(tmp_path: Path, monkeypatch) -> None:
    run = make_run(tmp_path / "a")
    write_ensemble(tmp_path / "e", [run])
    path = tmp_path / "e" / ENSEMBLE_NAME
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | {"members": written["members"] * 3000}))
    read: list[Path] = []
    monkeypatch.setattr(models, "file_sha256", lambda path: read.append(path) or file_sha256(path))
    assert distinct_runs([tmp_path / "e"]) == (
        [run],
        "Given more than once, but used once: the model a (3000 times).",
    )
    assert len(read) == 2


@pytest.mark.parametrize("member", [".", "../e", "../other"])
def test_an_ensemble_of_ensembles_is_refused(tmp_path: Path, member: str) -> None:
    write_ensemble(tmp_path / "other", [make_run(tmp_path / "a")])
    record = {"members": [{"run": member, "weights_sha256": "1" * 64}]}
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / ENSEMBLE_NAME).write_text(json.dumps(record))
    with pytest.raises(ModelError, match="is an ensemble itself; name its models in its place"):
        distinct_runs([tmp_path / "e"])


@pytest.mark.parametrize("member", ["loop", "x" * 900, "/" * 900, "loop/" * 100])
def test_members_that_cannot_be_are_told(tmp_path: Path, member: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    record = {"members": [{"run": member, "weights_sha256": "1" * 64}]}
    (tmp_path / ENSEMBLE_NAME).write_text(json.dumps(record))
    with pytest.raises(ModelError, match="gone or has changed"):
        distinct_runs([tmp_path])
