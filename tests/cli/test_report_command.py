"""``necroseg report``: what was written, as text and as JSON."""

import json

import pytest

from napari_necroseg.cli import main
from written_studies import write_dice


def test_it_writes_up_a_study(tmp_path, capsys) -> None:
    folder = write_dice(tmp_path / "s", {"2d:ceT1": {0: {"a": 0.5, "b": 0.75}}})
    assert main(["report", str(folder), "--json"]) == 0
    captured = capsys.readouterr()
    finished = json.loads(captured.out.splitlines()[-1])
    assert finished["event"] == "finished"
    assert (finished["done"], finished["total"], finished["failed"]) == (2, 2, 0)
    assert finished["mean_dice"] == {"2d:ceT1": pytest.approx(0.625)}
    assert finished["report"] == str(folder / "report.html")
    assert "2D ceT1         62.5 %" in captured.err
    # There are no images: said, and not an error.
    assert "Note: Figure 4 is left out" in captured.err


def test_a_folder_that_is_no_study_is_a_mistake_of_the_user(tmp_path, capsys) -> None:
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    assert "holds no study" in capsys.readouterr().err
