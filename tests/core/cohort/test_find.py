from collections.abc import Callable
from pathlib import Path

import pytest

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort import scan
from napari_necroseg.core.cohort.find import Pairing, find_case, find_cases
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.events import run

Make = Callable[..., Path]


def pair(folder: Path) -> Pairing:
    return run(find_cases(folder))


def shown(case: CaseFiles, root: Path) -> dict[str, str]:
    """The files of a case, as names relative to the folder."""
    files = {str(sequence): path for sequence, path in case.sequences.items()}
    files |= {"reference": case.reference, "tumour": case.tumour}
    return {role: path.relative_to(root).as_posix() for role, path in files.items() if path is not None}


def cases_in(folder: Path) -> dict[str, dict[str, str]]:
    return {case.name: shown(case, folder) for case in pair(folder).cases}


def test_a_folder_a_case(make_study: Make) -> None:
    root = make_study(
        "case-2/ceT1.nii.gz", "case-2/T2.nii.gz", "case-2/necrosis.nii.gz", "case-2/tumour.nii.gz",
        "case-10/T1_Gd.nii", "case-10/t2w.nii", "case-10/mask.nii",
    )  # fmt: skip
    assert cases_in(root) == {
        "case-2": {
            "ceT1": "case-2/ceT1.nii.gz",
            "T2": "case-2/T2.nii.gz",
            "reference": "case-2/necrosis.nii.gz",
            "tumour": "case-2/tumour.nii.gz",
        },
        "case-10": {"ceT1": "case-10/T1_Gd.nii", "T2": "case-10/t2w.nii", "reference": "case-10/mask.nii"},
    }
    assert [case.name for case in pair(root).cases] == ["case-2", "case-10"]
    assert pair(root).problems == ()


def test_a_folder_that_is_one_case_gives_its_name(make_study: Make) -> None:
    root = make_study("T1ce.nii", "T2.nii", "seg.nii", at="Patient 7")
    assert cases_in(root) == {"Patient 7": {"ceT1": "T1ce.nii", "T2": "T2.nii", "reference": "seg.nii"}}


def test_many_cases_in_one_folder_are_told_apart_by_their_names(make_study: Make) -> None:
    root = make_study(
        "case01_ceT1.nii", "case01_T2.nii", "case01_mask.nii", "case02_T1_Gd.nii", "case02_T2.nii"
    )
    assert cases_in(root) == {
        "case01": {"ceT1": "case01_ceT1.nii", "T2": "case01_T2.nii", "reference": "case01_mask.nii"},
        "case02": {"ceT1": "case02_T1_Gd.nii", "T2": "case02_T2.nii"},
    }


def test_the_role_may_stand_before_the_case(make_study: Make) -> None:
    root = make_study("ceT1_Smith.nii", "T2_Smith.nii", "ceT1_Jones.nii", "T2_Jones.nii")
    assert cases_in(root) == {
        "Jones": {"ceT1": "ceT1_Jones.nii", "T2": "T2_Jones.nii"},
        "Smith": {"ceT1": "ceT1_Smith.nii", "T2": "T2_Smith.nii"},
    }


def test_cases_numbered_as_lesions_are_no_masks(make_study: Make) -> None:
    root = make_study("lesion01_ceT1.nii", "lesion01_T2.nii", "lesion02_ceT1.nii", "lesion02_T2.nii")
    assert cases_in(root)["lesion01"] == {"ceT1": "lesion01_ceT1.nii", "T2": "lesion01_T2.nii"}
    folders = make_study("x/lesion_1_ceT1.nii", "x/lesion_1_T2.nii", "x/lesion_1_mask.nii", at="folders")
    assert cases_in(folders)["x"] == {
        "ceT1": "x/lesion_1_ceT1.nii",
        "T2": "x/lesion_1_T2.nii",
        "reference": "x/lesion_1_mask.nii",
    }


def test_a_name_that_repeats_the_folder_tells_nothing(make_study: Make) -> None:
    root = make_study(
        "RFA-9/RFA-9-t1c.nii", "RFA-9/RFA-9-t2w.nii", "RFA-9/RFA-9-seg.nii", "RFA-9/RFA-9-t2f.nii"
    )
    found = pair(root)
    assert shown(found.cases[0], root)["T2"] == "RFA-9/RFA-9-t2w.nii"
    assert found.problems == ()
    assert found.unused == (root / "RFA-9/RFA-9-t2f.nii",)


def test_folders_named_for_a_role_belong_to_the_case_above(make_study: Make) -> None:
    root = make_study("A/T1ce/IMG_1.nii", "A/T2/IMG_2.nii", "A/masks/necrosis.nii")
    assert cases_in(root) == {
        "A": {"ceT1": "A/T1ce/IMG_1.nii", "T2": "A/T2/IMG_2.nii", "reference": "A/masks/necrosis.nii"}
    }


def test_a_folder_a_sequence(make_study: Make) -> None:
    root = make_study("ceT1/a.nii", "T2/a.nii", "labels/a.nii", "ceT1/b.nii", "T2/b.nii")
    assert cases_in(root) == {
        "a": {"ceT1": "ceT1/a.nii", "T2": "T2/a.nii", "reference": "labels/a.nii"},
        "b": {"ceT1": "ceT1/b.nii", "T2": "T2/b.nii"},
    }


def test_cases_of_the_same_name_are_told_apart_by_the_folders_above(make_study: Make) -> None:
    root = make_study("north/c1/ceT1.nii", "south/c1/ceT1.nii", "south/c2/ceT1.nii")
    assert list(cases_in(root)) == ["c2", "north_c1", "south_c1"]


def test_masks_in_a_folder_of_their_own_join_the_case_of_their_name(make_study: Make) -> None:
    root = make_study(
        "c1/ceT1.nii", "c1/T2.nii", "c2/ceT1.nii", "c2/T2.nii", "labels/c1.nii", "labels/c2.nii"
    )
    make_study("labels/c1_earlier-001.nii", "predictions/run-1/c1.nii", "labels/c9.nii")
    assert {name: files["reference"] for name, files in cases_in(root).items()} == {
        "c1": "labels/c1.nii",
        "c2": "labels/c2.nii",
    }
    found = pair(root)
    assert found.problems == ("c9: no ceT1 image was found, so it was left out; it has labels/c9.nii.",)
    assert set(found.unused) == {root / "labels/c1_earlier-001.nii", root / "predictions/run-1/c1.nii"}


def test_a_corrected_mask_beside_the_first_is_for_a_person_to_choose(make_study: Make) -> None:
    root = make_study("c1/ceT1.nii", "c1/T2.nii", "c1/necrosis.nii", "labels/c1.nii")
    assert cases_in(root) == {"c1": {"ceT1": "c1/ceT1.nii", "T2": "c1/T2.nii"}}
    assert (
        pair(root)
        .problems[0]
        .startswith(
            "c1: 2 files could be its reference mask (c1/necrosis.nii, labels/c1.nii), so none was taken"
        )
    )


def test_the_current_folder_can_be_searched(make_study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_study("ceT1.nii", "T2.nii", at="here"))
    assert [case.name for case in pair(Path()).cases] == ["here"]


def test_series_numbers_do_not_split_a_case(make_study: Make) -> None:
    root = make_study("c/3_T1ce.nii", "c/5_T2.nii")
    assert cases_in(root) == {"c": {"ceT1": "c/3_T1ce.nii", "T2": "c/5_T2.nii"}}


def test_tiff_stacks_are_found_by_name(make_study: Make) -> None:
    root = make_study("a/ceT1.nii")
    for name in ("b/T1_KM.tif", "b/T2.TIFF", "b/mask.ome.tif"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    assert cases_in(root)["b"] == {"ceT1": "b/T1_KM.tif", "T2": "b/T2.TIFF", "reference": "b/mask.ome.tif"}


def test_a_header_and_its_image_are_one_file(make_study: Make) -> None:
    root = make_study("c/ceT1.img", "c/T2.nii")
    assert (root / "c/ceT1.hdr").exists()
    assert cases_in(root) == {"c": {"ceT1": "c/ceT1.hdr", "T2": "c/T2.nii"}}


def test_a_t1_without_contrast_is_not_taken_and_says_so(make_study: Make) -> None:
    root = make_study("good/ceT1.nii", "spine/T1.nii", "spine/T2.nii", "spine/vertebrae.nii")
    found = pair(root)
    assert [case.name for case in found.cases] == ["good"]
    assert found.problems[:2] == (
        "spine: no ceT1 image was found, so it was left out; it has spine/T2.nii.",
        "spine/T1.nii looks like a T1 without contrast, which is not taken for ceT1; rename it (for instance "
        "ceT1) if it was taken after contrast.",
    )
    assert found.unused == (root / "spine/vertebrae.nii",)


def test_a_t1_without_contrast_beside_ceT1_is_merely_not_needed(make_study: Make) -> None:  # noqa: N802
    root = make_study("c/ceT1.nii", "c/T1.nii", "c/T2.nii", "c/mask.nii")
    found = pair(root)
    assert (found.problems, found.unused) == ((), (root / "c/T1.nii",))


@pytest.mark.parametrize(
    ("twin", "problem", "left"),
    [
        ("T1ce.nii", "ceT1 image (c/ceT1.nii, c/T1ce.nii), so the case was left out", None),
        ("T2_sag.nii", "T2 image (c/T2.nii, c/T2_sag.nii), so none was taken", {"ceT1", "reference"}),
        ("roi.nii", "reference mask (c/mask.nii, c/roi.nii), so none was taken", {"ceT1", "T2"}),
    ],
)
def test_two_candidates_are_named_and_none_is_taken(
    make_study: Make, twin: str, problem: str, left: set[str] | None
) -> None:
    root = make_study("c/ceT1.nii", "c/T2.nii", "c/mask.nii", f"c/{twin}")
    found = pair(root)
    assert [one for one in found.problems if one.startswith(f"c: 2 files could be its {problem}")]
    assert [set(shown(case, root)) for case in found.cases] == ([left] if left else [])


def test_what_is_missing_is_listed_once_for_all_cases(make_study: Make) -> None:
    root = make_study("a/ceT1.nii", "b/ceT1.nii", "b/T2.nii", "c/ceT1.nii")
    assert pair(root).problems == (
        "No T2 image was found for a, c.",
        "None of the 3 cases has a reference mask.",
    )


def test_a_mask_of_something_else_is_named_where_the_reference_is_missing(make_study: Make) -> None:
    root = make_study("c/ceT1.nii", "c/T2.nii", "c/brain_mask.nii")
    assert any("nothing says that 'brain' is the necrosis zone" in one for one in pair(root).problems)


def test_a_name_that_cannot_be_a_case_is_listed(make_study: Make) -> None:
    root = make_study("a,b/ceT1.nii", "c/ceT1.nii")
    found = pair(root)
    assert [case.name for case in found.cases] == ["c"]
    assert found.problems[0] == (
        "a,b: the case name 'a,b' has the character ',', which a case name cannot have; rename it. The case "
        "was left out."
    )


def test_hidden_files_and_litter_are_passed_over(make_study: Make) -> None:
    root = make_study("c/ceT1.nii", "c/._T1ce.nii", ".trash/d/ceT1.nii", "__MACOSX/e/ceT1.nii")
    (root / "c/.DS_Store").touch()
    assert cases_in(root) == {"c": {"ceT1": "c/ceT1.nii"}}
    assert pair(root).unused == ()


def test_links_are_followed_but_not_in_circles(make_study: Make) -> None:
    root = make_study("c/ceT1.nii")
    store = make_study("ceT1.nii", at="store")
    (root / "linked").symlink_to(store)
    (root / "c/loop").symlink_to(root)
    (root / "c/T2.nii").symlink_to(root / "gone.nii")
    found = pair(root)
    assert [case.name for case in found.cases] == ["c", "linked"]
    assert "c/T2.nii: it is a link to a file that is not there; it was left out." in found.problems


def test_a_folder_that_may_not_be_opened_is_listed(make_study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_study("a/ceT1.nii", "b/ceT1.nii")
    scandir = scan.os.scandir

    def refuse(path: Path) -> object:
        if path.name == "b":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(scan.os, "scandir", refuse)
    found = pair(root)
    assert [case.name for case in found.cases] == ["a"]
    assert found.problems[0] == "b: the folder could not be read (Permission denied); it was left out."


def test_far_too_many_files_are_refused(make_study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MOST_ENTRIES", 3)
    with pytest.raises(CohortError, match="more than 3 files"):
        pair(make_study("a/ceT1.nii", "a/T2.nii", "b/ceT1.nii"))


def test_what_lies_too_deep_is_listed(make_study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "DEEPEST_FOLDER", 1)
    found = pair(make_study("c/ceT1.nii", "c/d/e/ceT1.nii"))
    assert found.problems[0] == "c: what lies deeper than 1 folders was not searched."


def test_a_folder_without_images_says_what_is_understood(tmp_path: Path) -> None:
    (tmp_path / "IM0001.dcm").touch()
    with pytest.raises(CohortError, match=r"DICOM files: convert them .* This program understands NIfTI"):
        pair(tmp_path)
    with pytest.raises(CohortError, match="There is no folder"):
        pair(tmp_path / "none")


def test_find_case_takes_the_one_case_and_the_name_of_its_folder(make_study: Make) -> None:
    root = make_study("RFA_T1ce.nii", "RFA_T2.nii", at="case-04")
    case = find_case(root)
    assert case.name == "case-04"
    assert case.sequences == {Sequence.CET1: root / "RFA_T1ce.nii", Sequence.T2: root / "RFA_T2.nii"}


def test_find_case_refuses_none_and_many(make_study: Make) -> None:
    with pytest.raises(CohortError, match="holds 2 cases; make a table"):
        find_case(make_study("a/ceT1.nii", "b/ceT1.nii", at="two"))
    with pytest.raises(CohortError, match=r"T1\.nii looks like a T1 without contrast"):
        find_case(make_study("T1.nii", "T2.nii", at="none"))
