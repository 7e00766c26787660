import json
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_necroseg.core.cohort.prepare import prepare
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.events import Finished, Warned

Make = Callable[..., Path]
IMAGES = ("imagesTr/n_001_0000.nii.gz", "imagesTr/n_001_0001.nii.gz")
LABEL = "labelsTr/n_001.nii.gz"
V2 = {"channel_names": {"0": "T2", "1": "T1ce"}, "labels": {"background": 0, "necrosis": 1}}
V1 = {"modality": {"0": "T2", "1": "T1ce"}, "labels": {"0": "background", "1": "necrosis"}}


def describe(root: Path, description: object) -> Path:
    (root / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return root


def rows_and_problems(root: Path) -> tuple[list[str], tuple[str, ...]]:
    *_, last = prepare(root)
    assert isinstance(last, Finished)
    return (root / "cohort.csv").read_text("utf-8").splitlines()[1:], last.result.problems


@pytest.mark.parametrize("description", [V1, V2])
def test_both_versions_of_the_format_name_their_channels(make_study: Make, description: object) -> None:
    root = describe(make_study(*IMAGES, LABEL), description)
    rows, problems = rows_and_problems(root)
    assert rows == [
        "n_001,imagesTr/n_001_0001.nii.gz,imagesTr/n_001_0000.nii.gz,labelsTr/n_001.nii.gz,,,,,",
    ]
    assert problems == ()


def test_test_images_are_cases_without_a_reference(make_study: Make) -> None:
    root = describe(make_study(*IMAGES, LABEL, "imagesTs/n_002_0001.nii.gz"), V2)
    rows, problems = rows_and_problems(root)
    assert rows[1] == "n_002,imagesTs/n_002_0001.nii.gz,,,,,,,"
    assert problems == ("No T2 image was found for n_002.", "No reference mask was found for n_002.")


def test_a_dataset_folder_is_found_below(make_study: Make) -> None:
    root = make_study(*(f"Dataset007_RFA/{name}" for name in (*IMAGES, LABEL)))
    describe(root / "Dataset007_RFA", V2)
    rows, _ = rows_and_problems(root)
    assert rows[0].startswith("n_001,Dataset007_RFA/imagesTr/n_001_0001.nii.gz,")


def test_several_structures_are_not_taken_for_one(make_study: Make) -> None:
    labels = {"background": 0, "necrosis": 1, "tumour": 2}
    root = describe(make_study(*IMAGES, LABEL), V2 | {"labels": labels})
    rows, problems = rows_and_problems(root)
    assert rows == ["n_001,imagesTr/n_001_0001.nii.gz,imagesTr/n_001_0000.nii.gz,,,,,,"]
    assert problems[0] == (
        "dataset.json: the label files hold 2 structures (necrosis, tumour), but a mask with one is needed, "
        "so none was taken; save the necrosis zone as a mask of its own."
    )


@pytest.mark.parametrize(
    ("name", "column"),
    [("tumor", "tumour"), ("ablation zone", "reference"), ("foreground", "reference"), ("vertebra", None)],
)
def test_the_name_of_the_only_label_decides_the_column(
    make_study: Make, name: str, column: str | None
) -> None:
    root = describe(make_study(*IMAGES, LABEL), V2 | {"labels": {"background": 0, name: 1}})
    rows, problems = rows_and_problems(root)
    cells = dict(zip(("reference", "tumour"), rows[0].split(",")[3:5], strict=True))
    assert {key for key, cell in cells.items() if cell == LABEL} == ({column} if column else set())
    assert any("outline 'vertebra'" in one for one in problems) is (column is None)


def test_a_channel_that_is_no_contrast_t1_is_refused_with_its_name(make_study: Make) -> None:
    root = describe(make_study(*IMAGES), {"modality": {"0": "T2", "1": "T1"}})
    with pytest.raises(
        CohortError, match=r"no channel is called like a ceT1 image \(0 = T2, 1 = T1, which looks"
    ):
        list(prepare(root))


def test_two_ceT1_channels_are_ambiguous(make_study: Make) -> None:  # noqa: N802
    root = describe(make_study(*IMAGES), {"channel_names": {"0": "T1ce", "1": "T1_Gd"}})
    with pytest.raises(CohortError, match="n_001: 2 files could be its ceT1 image"):
        list(prepare(root))


@pytest.mark.parametrize(
    "content", ["", "[1]", "{", '{"channel_names": ["T1ce", "T2"]}', '{"channel_names": {}}']
)
def test_without_channel_names_nothing_is_guessed(make_study: Make, content: str) -> None:
    root = make_study(*IMAGES)
    (root / "dataset.json").write_text(content, encoding="utf-8")
    with pytest.raises(CohortError, match=r"dataset\.json: it (is missing or damaged|has neither)"):
        list(prepare(root))
    (root / "dataset.json").unlink()
    with pytest.raises(CohortError, match="nothing else says which of the channels"):
        list(prepare(root))


def test_files_that_belong_to_nothing_are_named(make_study: Make) -> None:
    names = (*IMAGES, LABEL, "imagesTr/n_001_0002.nii.gz", "imagesTr/odd.nii.gz", "labelsTr/n_009.nii.gz")
    root = describe(make_study(*names), V2)
    assert [event.message for event in prepare(root) if isinstance(event, Warned)] == [
        "imagesTr/n_001_0002.nii.gz: dataset.json has no channel for this name.",
        "imagesTr/odd.nii.gz: dataset.json has no channel for this name.",
        "labelsTr/n_009.nii.gz: there are no images that belong to this label.",
    ]
