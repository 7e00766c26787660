import time
from pathlib import Path

import pytest

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.cohort.csv_table import MOST_ROWS
from napari_necroseg.core.cohort.table import read_cohort, write_cohort
from napari_necroseg.core.errors import CohortError

HEAD, ROW = "case,ceT1", "A,a.nii"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "a.nii").touch()
    return tmp_path / "cohort.csv"


@pytest.mark.parametrize(
    ("text", "n_cases"),
    [
        (f"{HEAD}{',' * 300_000}\n{ROW}{',' * 300_000}\n", 1),
        (f"{HEAD}\n{ROW}{',' * 300_000}\n", 1),
        (f"{HEAD}\n" + "\n" * 200_000 + ROW, 1),
    ],
)
def test_empty_cells_and_rows_cost_no_more_than_reading_them(table: Path, text: str, n_cases: int) -> None:
    table.write_text(text, encoding="utf-8")
    started = time.perf_counter()
    assert len(read_cohort(table)) == n_cases
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (f"{HEAD}," + ",".join(f"comment{n}" for n in range(20_000)), "names 20,002 columns"),
        (f"{HEAD}\n" + f"{ROW}\n" * (MOST_ROWS + 1), "more than 50,000 rows"),
        (f"{HEAD}\n" + ",\n" * 2**20, r"more than 1,048,576 rows"),
        (f"{HEAD},comment\n{ROW},{'x' * 10_000_000}\n", r"larger than .* begins on line 2"),
        (f'{HEAD},comment\n{ROW},\nB,"a.nii,\n' + "C,a.nii,\n" * 20_000, "begins on line 3; is a quotation"),
        (f"{HEAD}\nA,{'x' * 100_000}\n", r"the ceT1 file x{120}\.\.\. does not exist"),
        (f"{HEAD},fold\n{ROW},{'0' * 100_000}\n", r"fold is '0{120}\.\.\.', but must"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_cases_is_refused_in_a_short_sentence(table: Path, text: str, match: str) -> None:
    table.write_text(text, encoding="utf-8")
    with pytest.raises(CohortError, match=match) as refused:
        read_cohort(table)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "folder", [" case 1", "\tcase 1", "\u00a0case 1", "case 1 ", "=case", "-c", "a;b", "a\nb"]
)
def test_whatever_folder_an_image_lies_in_is_found_again(tmp_path: Path, folder: str) -> None:
    image = tmp_path / folder / "ceT1.nii"
    image.parent.mkdir()
    image.touch()
    case = CaseFiles(name="A", sequences={Sequence.CET1: image})
    write_cohort(tmp_path / "cohort.csv", Cohort(cases=(case,)))
    assert read_cohort(tmp_path / "cohort.csv")["A"].sequences[Sequence.CET1].resolve() == image.resolve()


def test_a_name_is_written_in_one_way_whatever_system_the_table_is_from(tmp_path: Path) -> None:
    (tmp_path / "a.nii").touch()
    (tmp_path / "b.nii").touch()
    table = tmp_path / "cohort.csv"
    table.write_text(
        "case,ceT1,patient\nMu\u0308ller 1,a.nii,Mu\u0308ller\nMuller,b.nii,M\u00fcller\n", encoding="utf-8"
    )
    cohort = read_cohort(table)
    assert cohort.names == ("M\u00fcller 1", "Muller")
    assert len({case.patient for case in cohort}) == 1
    table.write_text("case,ceT1\nMu\u0308ller,a.nii\nM\u00fcller,b.nii\n", encoding="utf-8")
    with pytest.raises(CohortError, match="rows 2 and 3 have the same case name"):
        read_cohort(table)
    table.write_text("case,ceT1,patient,fold\nA,a.nii,p1,1\nB,b.nii,P1,2\n", encoding="utf-8")
    with pytest.raises(CohortError, match="of one patient"):
        read_cohort(table)
