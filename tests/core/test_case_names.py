import unicodedata
from pathlib import Path

import pytest

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.case_names import (
    check_case_name,
    csv_cell,
    in_markdown,
    is_among,
    name_key,
    named_file,
    shown,
    tidy_name,
)
from napari_necroseg.core.errors import CohortError

COMPOSED = "M\u00fcller"
DECOMPOSED = "Mu\u0308ller"


def cohort_of(*names: str) -> Cohort:
    return Cohort(
        cases=tuple(CaseFiles(name=name, sequences={Sequence.CET1: Path("t1.nii")}) for name in names)
    )


@pytest.mark.parametrize(
    "written", [COMPOSED, DECOMPOSED, "m\u00fcller", "MU\u0308LLER", " M\u00fcller\u00a0"]
)
def test_a_case_is_found_however_its_name_is_written(written: str) -> None:
    assert name_key(written) == name_key(COMPOSED)
    cohort = cohort_of("Meier", DECOMPOSED)
    assert written in cohort
    assert cohort[written].name == DECOMPOSED
    assert cohort.only((written,)).names == (DECOMPOSED,)
    assert cohort.without((written,)).names == ("Meier",)
    assert is_among(written, ["Meier", COMPOSED])


def test_a_name_that_is_written_just_so_counts_before_another_case_of_it() -> None:
    assert cohort_of("A", "a")["a"].name == "a"
    with pytest.raises(CohortError, match="no case 'Maller'"):
        cohort_of(COMPOSED)["Maller"]


@pytest.mark.parametrize(
    "name",
    ["AUX", "aux", "nul.t1", "COM1", "com\u00b9", "LPT\u00b2", "CONIN$", "aux .x", "a:b", "a|b", "a\\b", "a.",
     "a\u00a0", "\ta", ".a", "=1+1", "+1+1", "@SUM(1)", "-x", "a\tb", "a\nb", "a\x1b[2Jb", "a\u202eb",
     "a\udcffb", "a,b", "x" * 121, "\u9aa8" * 70, ""],
)  # fmt: skip
def test_what_no_case_can_be_called_on_every_system(name: str) -> None:
    assert check_case_name(name)


@pytest.mark.parametrize(
    "name", ["case-01", COMPOSED, DECOMPOSED, "Pat 7 (L3)", "auxiliary", "\u9aa8", "a.b", "con1"]
)
def test_what_a_case_can_be_called(name: str) -> None:
    assert check_case_name(name) is None


def test_a_folder_gives_a_name_without_blanks_at_its_ends_or_dots_behind() -> None:
    assert [tidy_name(name) for name in (" a ", "\u00a0a\t", "a. .", DECOMPOSED, "a b")] == [
        "a", "a", "a", COMPOSED, "a b",
    ]  # fmt: skip


def test_what_is_no_visible_character_is_spelled_out() -> None:
    assert (
        shown("a\x1b[2J\tb\n\u202ec\udcff \u00fc \u9aa8") == "a\\x1b[2J\\tb\\n\\u202ec\\udcff \u00fc \u9aa8"
    )


@pytest.mark.parametrize("text", ["=cmd|'!A0'", "+1+1", "@SUM(1)", "-2"])
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert csv_cell(text) == f"'{text}"
    assert csv_cell("\t=1") == "\\t=1"
    assert csv_cell("case-01") == "case-01"


def test_markdown_shows_a_name_as_it_is() -> None:
    assert in_markdown("a|b <i> [x](y) `c`\n") == "a\\|b \\<i\\> \\[x\\](y) \\`c\\`\\\\n"


def test_a_file_is_found_under_the_other_form_of_its_name(tmp_path: Path) -> None:
    (tmp_path / f"{DECOMPOSED}.nii.gz").touch()
    found = named_file(tmp_path, f"{COMPOSED}.nii.gz")
    assert found.exists()
    assert unicodedata.normalize("NFC", found.name) == f"{COMPOSED}.nii.gz"
    assert named_file(tmp_path, "none.nii.gz") == tmp_path / "none.nii.gz"
    assert named_file(tmp_path / "none", "a.nii.gz") == tmp_path / "none" / "a.nii.gz"
