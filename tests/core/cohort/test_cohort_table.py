from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_necroseg.core import files
from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.case_names import check_case_name
from napari_necroseg.core.cohort.table import COLUMNS, read_cohort, write_cohort
from napari_necroseg.core.errors import CohortError

HEADER = "case,ceT1,T2,reference,tumour,patient,days_since_rfa,fold,status"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with the files a table may name; they are empty, since a table never opens them."""
    for name in ("a", "b"):
        for role in ("ceT1", "T2", "necrosis", "tumour"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / f"{role}.nii.gz").touch()
    (tmp_path / "both.tif").touch()
    (tmp_path / "notes.txt").touch()
    return tmp_path


def table(study: Path, *rows: str, header: str = HEADER) -> Path:
    path = study / "cohort.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def mistake(study: Path, *rows: str, header: str = HEADER) -> str:
    with pytest.raises(CohortError) as caught:
        read_cohort(table(study, *rows, header=header))
    return str(caught.value)


def test_a_full_row_is_read(study: Path) -> None:
    path = table(study, "A,a/ceT1.nii.gz,a/T2.nii.gz,a/necrosis.nii.gz,a/tumour.nii.gz,P7,1.5,3,reviewed")
    (case,) = read_cohort(path)
    assert case == CaseFiles(
        name="A",
        sequences={Sequence.CET1: study / "a/ceT1.nii.gz", Sequence.T2: study / "a/T2.nii.gz"},
        reference=study / "a/necrosis.nii.gz",
        tumour=study / "a/tumour.nii.gz",
        patient="P7",
        days_since_rfa=1.5,
        fold=3,
        status="reviewed",
    )


def test_empty_cells_mean_absent(study: Path) -> None:
    (case,) = read_cohort(table(study, "A,a/ceT1.nii.gz,,,,,,,"))
    assert case == CaseFiles(name="A", sequences={Sequence.CET1: study / "a/ceT1.nii.gz"})


def test_a_folder_stands_for_the_table_in_it(study: Path) -> None:
    table(study, "A,a/ceT1.nii.gz")
    assert read_cohort(study).names == ("A",)


def test_two_columns_suffice(study: Path) -> None:
    assert read_cohort(table(study, "a/ceT1.nii.gz,A", header="ceT1,case")).names == ("A",)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_tables_of_any_spreadsheet_are_read(study: Path, delimiter: str, end: str, encoding: str) -> None:
    (study / "Müller").mkdir()
    (study / "Müller" / "ceT1.nii.gz").touch()
    lines = [HEADER, 'A,"Müller/ceT1.nii.gz",,,,"Patient ""x""",2,,', ",,,,,,,,", "", ""]
    text = end.join(line.replace(",", delimiter) for line in lines)
    (study / "cohort.csv").write_bytes(text.encode(encoding))
    (case,) = read_cohort(study)
    assert case.sequences[Sequence.CET1] == study / "Müller" / "ceT1.nii.gz"
    assert (case.patient, case.days_since_rfa) == ('Patient "x"', 2.0)


def test_a_decimal_comma_is_read_where_semicolons_part_the_cells(study: Path) -> None:
    path = table(study, "A;a/ceT1.nii.gz;1,5", header="case;ceT1;days_since_rfa")
    assert read_cohort(path)["A"].days_since_rfa == 1.5


def test_column_names_do_not_depend_on_case_or_blanks(study: Path) -> None:
    assert read_cohort(table(study, "A,a/ceT1.nii.gz,2", header=" Case ,CET1, FOLD "))["A"].fold == 2


def test_a_fold_written_as_a_decimal_by_a_data_frame_is_read(study: Path) -> None:
    assert read_cohort(table(study, "A,a/ceT1.nii.gz,2.0", header="case,ceT1,fold"))["A"].fold == 2


def test_absolute_paths_parent_folders_and_backslashes_are_read(study: Path) -> None:
    (study / "tables").mkdir()
    path = study / "tables" / "mine.csv"
    path.write_text(
        f"case,ceT1,T2\nA,{study}/a/ceT1.nii.gz,..\\a\\T2.nii.gz\nB,../b/ceT1.nii.gz,\n", encoding="utf-8"
    )
    cohort = read_cohort(path)
    assert cohort["A"].sequences[Sequence.CET1] == study / "a/ceT1.nii.gz"
    assert cohort["A"].sequences[Sequence.T2].samefile(study / "a/T2.nii.gz")
    assert cohort["B"].sequences[Sequence.CET1].samefile(study / "b/ceT1.nii.gz")


def test_two_channels_of_a_tiff_stack_may_be_both_sequences(study: Path) -> None:
    (case,) = read_cohort(
        table(study, "A,both.tif,both.tif,4 x 0.7 x 0.75", header="case,ceT1,T2,spacing_mm")
    )
    assert set(case.sequences.values()) == {study / "both.tif"}
    assert case.spacing_mm == (4.0, 0.7, 0.75)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A,missing.nii.gz,,,,,,,", "the ceT1 file missing.nii.gz does not exist"),
        ("A,a/ceT1.nii.gz,no/T2.nii.gz,,,,,,", "the T2 file no/T2.nii.gz does not exist"),
        ("A,a/ceT1.nii.gz,,a,,,,,", "the reference file a does not exist"),
        ("A,a/ceT1.nii.gz,,notes.txt,,,,,", "the reference file notes.txt is neither NIfTI"),
        ("A,,a/T2.nii.gz,,,,,,", "there is no ceT1 file"),
        (",a/ceT1.nii.gz,,,,,,,", "the case has no name"),
        ("A,a/ceT1.nii.gz,a/ceT1.nii.gz,,,,,,", "ceT1 and T2 name the same file"),
        ("A,a/ceT1.nii.gz,,a/ceT1.nii.gz,,,,,", "ceT1 and reference name the same file"),
        ("A,a/ceT1.nii.gz,,,,,-1,,", "days_since_rfa is '-1'"),
        ("A,a/ceT1.nii.gz,,,,,nan,,", "days_since_rfa is 'nan'"),
        ("A,a/ceT1.nii.gz,,,,,two,,", "days_since_rfa is 'two'"),
        ("A,a/ceT1.nii.gz,,,,,,0,", "fold is '0'"),
        ("A,a/ceT1.nii.gz,,,,,,1.5,", "fold is '1.5'"),
        ("A,a/ceT1.nii.gz,,,,,,²,", "fold is '²'"),
        ("A/B,a/ceT1.nii.gz,,,,,,,", "has the character '/'"),
        ("A,a/ceT1.nii.gz,,,,,,,,surplus", "it has 10 cells, but there are 9 columns"),
        ("A," + "x" * 5000 + ".nii.gz,,,,,,,", "does not exist"),
    ],
)
def test_a_wrong_row_is_named_with_its_number(study: Path, row: str, reason: str) -> None:
    said = mistake(study, "B,b/ceT1.nii.gz,,,,,,,", "", row)
    assert said.startswith("cohort.csv, row 4")
    assert reason in said


def test_all_wrong_rows_are_named_at_once(study: Path) -> None:
    said = mistake(study, "A,a/no.nii.gz", "B,b/ceT1.nii.gz", "C,b/T2.nii.gz,x", header="case,ceT1,fold")
    assert "row 2 (A)" in said
    assert "row 4 (C): fold is 'x'" in said


def test_names_that_differ_in_case_only_are_refused(study: Path) -> None:
    said = mistake(study, "Case,a/ceT1.nii.gz", "case,b/ceT1.nii.gz", header="case,ceT1")
    assert "rows 2 and 3 have the same case name" in said


@pytest.mark.parametrize(("first", "second"), [("1", "2"), ("1", ""), ("", "1")])
def test_a_patient_stands_in_one_fold(study: Path, first: str, second: str) -> None:
    said = mistake(
        study, f"A,a/ceT1.nii.gz,P,{first}", f"B,b/ceT1.nii.gz,P,{second}", header="case,ceT1,patient,fold"
    )
    assert "rows 2 and 3 are of one patient (P), but of fold" in said


def test_patients_in_one_fold_are_fine(study: Path) -> None:
    rows = ("A,a/ceT1.nii.gz,P,1", "B,b/ceT1.nii.gz,P,1")
    assert len(read_cohort(table(study, *rows, header="case,ceT1,patient,fold"))) == 2


def test_one_image_cannot_be_of_two_patients(study: Path) -> None:
    rows = ("A,a/ceT1.nii.gz,", "B,a/ceT1.nii.gz,")
    assert "rows 2 and 3 name the same ceT1 file" in mistake(study, *rows, header="case,ceT1,patient")
    same = table(study, "A,a/ceT1.nii.gz,P", "B,a/ceT1.nii.gz,P", header="case,ceT1,patient")
    assert read_cohort(same).names == ("A", "B")


def test_an_unknown_column_is_refused_with_the_one_that_is_meant(study: Path) -> None:
    said = mistake(study, "A,a/ceT1.nii.gz,1", header="case,ceT1,folds")
    assert "column 'folds' that is not known; rename it if you mean 'fold'" in said


def test_a_column_of_comments_is_left_alone(study: Path) -> None:
    path = table(study, "A,a/ceT1.nii.gz,bad T2", header="case,ceT1,Comment of Dr. X")
    assert read_cohort(path).names == ("A",)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("name,file", "no column case and no column ceT1"),
        ("case,ceT1,Case", "has the column case twice"),
        ("", "its first row is empty"),
    ],
)
def test_a_wrong_header_is_refused(study: Path, header: str, reason: str) -> None:
    assert reason in mistake(study, "A,a/ceT1.nii.gz", header=header)


def test_what_is_no_table_is_refused(study: Path) -> None:
    (study / "cohort.csv").write_bytes(b"PK\x03\x04\x00\x00")
    with pytest.raises(CohortError, match="save the table as CSV"):
        read_cohort(study)
    (study / "cohort.csv").write_text(HEADER + "\n", encoding="utf-8")
    with pytest.raises(CohortError, match="lists no case"):
        read_cohort(study)
    with pytest.raises(CohortError, match=r"There is no cohort table .* necroseg prepare"):
        read_cohort(study / "none.csv")


def test_written_paths_are_relative_to_the_table(study: Path) -> None:
    case = CaseFiles(name="A", sequences={Sequence.CET1: study / "a/ceT1.nii.gz"}, fold=2, days_since_rfa=3.0)
    write_cohort(study / "out" / "cohort.csv", Cohort(cases=(case,)))
    assert (study / "out" / "cohort.csv").read_text("utf-8") == f"{HEADER}\nA,../a/ceT1.nii.gz,,,,,3,2,\n"
    assert read_cohort(study / "out").names == ("A",)


def test_a_table_below_a_linked_folder_finds_its_files(study: Path) -> None:
    (study / "deep" / "real").mkdir(parents=True)
    (study / "link").symlink_to(study / "deep" / "real")
    case = CaseFiles(name="A", sequences={Sequence.CET1: study / "a/ceT1.nii.gz"})
    write_cohort(study / "link" / "cohort.csv", Cohort(cases=(case,)))
    assert "../../a/ceT1.nii.gz" in (study / "link" / "cohort.csv").read_text("utf-8")
    assert read_cohort(study / "link")["A"].sequences[Sequence.CET1].samefile(study / "a/ceT1.nii.gz")


def test_a_linked_file_keeps_its_own_name(study: Path) -> None:
    (study / "store").mkdir()
    (study / "store" / "MD5-0815").touch()
    (study / "linked.nii.gz").symlink_to(study / "store" / "MD5-0815")
    case = CaseFiles(name="A", sequences={Sequence.CET1: study / "linked.nii.gz"})
    write_cohort(study / "cohort.csv", Cohort(cases=(case,)))
    assert read_cohort(study)["A"].sequences[Sequence.CET1] == study / "linked.nii.gz"


def test_no_cell_begins_like_a_formula(study: Path) -> None:
    (study / "=cmd").mkdir()
    (study / "=cmd" / "ceT1.nii.gz").touch()
    case = CaseFiles(name="A", sequences={Sequence.CET1: study / "=cmd" / "ceT1.nii.gz"})
    write_cohort(study / "cohort.csv", Cohort(cases=(case,)))
    assert ",./=cmd/ceT1.nii.gz," in (study / "cohort.csv").read_text("utf-8")
    assert len(read_cohort(study)) == 1


def test_a_cohort_that_could_not_be_read_again_is_not_written(study: Path) -> None:
    one = CaseFiles(name="A", sequences={Sequence.CET1: study / "a/ceT1.nii.gz"})
    two = CaseFiles(name="a", sequences={Sequence.CET1: study / "b/ceT1.nii.gz"})
    odd = CaseFiles(name="a/b", sequences={Sequence.CET1: study / "b/ceT1.nii.gz"})
    for cases in ((one, two), (one, odd)):
        with pytest.raises(CohortError, match="row"):
            write_cohort(study / "cohort.csv", Cohort(cases=cases))
    assert not (study / "cohort.csv").exists()


def test_the_spacing_column_is_written_only_where_needed(study: Path) -> None:
    plain = CaseFiles(name="A", sequences={Sequence.CET1: study / "both.tif"})
    spaced = CaseFiles(name="A", sequences={Sequence.CET1: study / "both.tif"}, spacing_mm=(4.0, 0.7, 0.75))
    write_cohort(study / "cohort.csv", Cohort(cases=(plain,)))
    assert (study / "cohort.csv").read_text("utf-8").splitlines()[0] == ",".join(COLUMNS)
    write_cohort(study / "cohort.csv", Cohort(cases=(spaced,)))
    assert read_cohort(study)["A"] == spaced


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12).map(str.strip)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    patient=TEXT,
    status=TEXT,
    days=st.none() | st.integers(0, 5000).map(lambda n: n / 8),
    fold=st.none() | st.integers(1, 99),
    has_t2=st.booleans(),
)
def test_what_is_written_is_read_back(
    study: Path, patient: str, status: str, days: float | None, fold: int | None, has_t2: bool
) -> None:
    sequences = {Sequence.CET1: study / "a/ceT1.nii.gz"}
    if has_t2:
        sequences[Sequence.T2] = study / "a/T2.nii.gz"
    case = CaseFiles(
        name="A", sequences=sequences, patient=patient, status=status, days_since_rfa=days, fold=fold
    )
    write_cohort(study / "cohort.csv", Cohort(cases=(case,)))
    assert read_cohort(study).cases == (case,)


@pytest.mark.parametrize("name", ["case-01", "Müller 3", "sub-01_ses-2", "a.b", "P(7)", "神経"])
def test_ordinary_names_can_be_case_names(name: str) -> None:
    assert check_case_name(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "no name"),
        ("a/b", "the character '/'"),
        ("a\\b", "the character"),
        ("..", "cannot be a file name"),
        ("a.", "cannot be a file name"),
        (" a", "cannot be a file name"),
        ("CON", "cannot be a file name"),
        ("lpt1.nii", "cannot be a file name"),
        ("a\nb", "the character"),
        ("a\u202eb", "the character"),
        ("A,B", "the character ','"),
        ("=1+1", "spreadsheet"),
        ("-rf", "command line"),
        ("x" * 121, "121 characters"),
    ],
)
def test_names_that_are_no_safe_file_names_are_refused(name: str, reason: str) -> None:
    assert reason in str(check_case_name(name))


def test_a_table_that_may_not_be_read_is_refused(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = table(study, "A,a/ceT1.nii.gz,,,,,,,")
    monkeypatch.setattr(files.disk, "open", refuse)
    with pytest.raises(CohortError, match="may not be read: Permission denied"):
        read_cohort(path)
