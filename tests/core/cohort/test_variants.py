from collections.abc import Callable
from pathlib import Path

import pytest

from napari_necroseg.core.cohort.file_names import variants_among
from napari_necroseg.core.cohort.find import Pairing, find_cases
from napari_necroseg.core.events import run

Make = Callable[..., Path]


def pair(folder: Path) -> Pairing:
    return run(find_cases(folder))


def names(found: Pairing) -> list[str]:
    return [case.name for case in found.cases]


COPIES = [
    "ceT1 - Kopie", "ceT1 - Copy", "ceT1 - Kopie (2)", "Kopie von ceT1", "Copy of ceT1", "ceT1 (1)",
    "ceT1_copy",
    "ceT1 copy 2", "ceT1copy", "ceT1 (Anna's conflicted copy 2024-01-05)",
    "ceT1 (conflicted copy 2024-01-05)",
    "ceT1.sync-conflict-20240105-120000-ABCDEF", "ceT1_DiskStation_Jan-05-1200-2024_Conflict",
    "ceT1-DESKTOP-AB12CD", "CET1 - KOPIE",
]  # fmt: skip
DERIVED = [
    "ceT1_Eq_1", "ceT1_Eq", "ceT1_Tilt_1", "ceT1_brain", "ceT1brain", "ceT1_bet", "ceT1_bet_Eq_1",
    "ceT1_ROI1",
    "ceT1a", "ceT1_n4", "ceT1_skullstripped", "brain_ceT1", "ceT1_defaced", "ceT1_Crop_1",
]  # fmt: skip


@pytest.mark.parametrize("variant", [*COPIES, *DERIVED])
@pytest.mark.parametrize("folder", ["case-01/", ""])
def test_a_copy_or_derived_image_is_no_case_of_its_own(make_study: Make, variant: str, folder: str) -> None:
    root = make_study(f"{folder}ceT1.nii", f"{folder}T2.nii", f"{folder}{variant}.nii", at="case-01")
    found = pair(root)
    assert names(found) == ["case-01"]
    assert found.cases[0].sequences["ceT1"].name == "ceT1.nii"
    assert found.problems[0] == (
        "case-01: 1 file was not taken, named like copies of others or images derived from them: "
        f"{folder}{variant}.nii (beside ceT1)."
    )


@pytest.mark.parametrize("variant", ["ceT1_P1 - Kopie", "ceT1_P1_brain", "ceT1_P1 (1)", "Kopie von ceT1_P1"])
def test_in_a_folder_of_many_cases_it_belongs_to_its_original(make_study: Make, variant: str) -> None:
    root = make_study("ceT1_P1.nii", "T2_P1.nii", "ceT1_P2.nii", "T2_P2.nii", f"{variant}.nii")
    found = pair(root)
    assert names(found) == ["P1", "P2"]
    assert found.problems[0].startswith("P1: 1 file was not taken")
    flat = make_study(
        "P1_ceT1.nii", "P1_T2.nii", "P2_ceT1.nii", "P1_brain_ceT1.nii", "P1_ceT1 (1).nii", at="flat"
    )
    assert names(pair(flat)) == ["P1", "P2"]


@pytest.mark.parametrize(
    "variant", ["ceT1 - Kopie", "ceT1_brain", "ceT1_Eq_1", "ceT1 (1)", "case-01_ceT1_copy"]
)
def test_beside_the_folders_of_cases_it_is_no_case_either(make_study: Make, variant: str) -> None:
    root = make_study("case-01/ceT1.nii", "case-02/ceT1.nii", f"{variant}.nii")
    found = pair(root)
    assert names(found) == ["case-01", "case-02"]
    assert f"{variant}.nii (beside the folders of cases)." in found.problems[0]


@pytest.mark.parametrize("folder", ["case-01 - Kopie", "case-01_copy", "case-01 (1)", "case-01_brain"])
def test_a_folder_named_like_a_copy_of_its_neighbour_is_told(make_study: Make, folder: str) -> None:
    root = make_study("case-01/ceT1.nii", "case-02/ceT1.nii", f"{folder}/ceT1.nii")
    found = pair(root)
    assert names(found) == ["case-01", "case-02"]
    assert found.problems[0].startswith(f"{folder}: its name is that of a copy of case-01, or of something")


@pytest.mark.parametrize("folder", ["bet", "Kopie", "ceT1 copy", "T1 brain"])
def test_a_folder_of_variants_in_a_case_is_no_case(make_study: Make, folder: str) -> None:
    root = make_study("c/ceT1.nii", "c/T2.nii", f"c/{folder}/ceT1.nii", f"c/{folder}/T2.nii")
    found = pair(root)
    assert names(found) == ["c"]
    assert f"(in the folder {folder})" in found.problems[0]


def test_an_image_with_an_unknown_addition_is_for_a_person_to_choose(make_study: Make) -> None:
    found = pair(make_study("c/ceT1.nii", "c/T2.nii", "c/ceT1_v7x.nii", "d/ceT1.nii"))
    assert names(found) == ["d"]
    assert "c: 2 files could be its ceT1 image (c/ceT1.nii, c/ceT1_v7x.nii)" in found.problems[0]


def test_what_a_program_made_is_taken_where_there_is_nothing_else(make_study: Make) -> None:
    root = make_study("a/ceT1_brain.nii", "a/T2_brain.nii", "b/ceT1_brain.nii", "b/T2_brain.nii")
    found = pair(root)
    assert names(found) == ["a", "b"]
    assert [set(case.sequences) for case in found.cases] == [{"ceT1", "T2"}] * 2


def test_numbers_and_letters_of_people_are_no_copies(make_study: Make) -> None:
    root = make_study(
        *(f"{name}/ceT1.nii" for name in ("L3", "L3a", "L3b", "M 1", "M 2", "M", "Brain-01", "01"))
    )
    assert len(names(pair(root))) == 8
    windows = make_study(*(f"{what} ({n}).nii" for what in ("ceT1", "T2") for n in (1, 2, 3)), at="windows")
    assert len(names(pair(windows))) == 3
    assert variants_among(["T1", "T1c", "T2", "T2f", "a", "b"], of_files=True) == {}


def test_a_copied_case_of_an_nnunet_folder_is_told(make_study: Make) -> None:
    root = make_study("imagesTr/a_0000.nii", "imagesTr/a - Kopie_0000.nii", "imagesTr/b_0000.nii")
    (root / "dataset.json").write_text('{"channel_names": {"0": "ceT1"}}', encoding="utf-8")
    found = pair(root)
    assert names(found) == ["a", "b"]
    assert found.problems[0].startswith("a - Kopie: its name is that of a copy of a,")


def test_many_names_are_compared_in_linear_time() -> None:
    many = [f"case-{n:05d}{tail}" for n in range(5000) for tail in ("_ceT1", "_ceT1 - Kopie")]
    assert len(variants_among(many)) == 5000
