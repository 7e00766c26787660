"""The folder of a project is looked at anew; its table changes only when and where asked to."""

import shutil
import threading
from pathlib import Path

import pytest

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.cohort.doubts import DoubtKind
from napari_necroseg.core.cohort.find import Gap
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Finished
from napari_necroseg.jobs import project_table
from napari_necroseg.jobs.opening import present

STOP = threading.Event()
TABLE = """case;T2;ceT1;my note
a;;a/ceT1.nii.gz;the first
gone;;gone/ceT1.nii.gz;
"""


def result_of(job):
    return next(event.result for event in job if isinstance(event, Finished))


@pytest.fixture
def table(tmp_path: Path, write_case) -> Path:
    for seed, name in enumerate("ab"):
        write_case(tmp_path / name, seed)
    path = tmp_path / "cohort.csv"
    path.write_text(TABLE.replace("my note", "note"))
    return path


def rescan(table: Path):
    return result_of(project_table.rescan(present(table)[0], table, stop=STOP))


def test_a_new_case_is_found_and_added_without_touching_the_rows(table):
    found = rescan(table)
    assert [files.name for files in found.new] == ["b"]
    assert [(gap.case, gap.sequence, len(gap.candidates)) for gap in found.gaps] == [("a", Sequence.T2, 1)]
    before = table.read_text()
    mended = result_of(project_table.add_cases(table, found.new, stop=STOP))
    assert mended.project.cohort.names == ("a", "b")
    assert table.read_text().splitlines()[1:3] == [f"{line};" for line in before.splitlines()[1:3]]
    assert table.with_name("cohort.csv.bak-1").read_text() == before
    assert rescan(table).new == ()


def test_masks_of_this_program_are_no_new_cases_and_no_references(table):
    (table.parent / "b" / "necrosis.nii.gz").unlink()
    labels = table.parent / "labels"
    labels.mkdir()
    shutil.copy(table.parent / "a" / "necrosis.nii.gz", labels / "b.nii.gz")
    (new,) = rescan(table).new
    assert (new.name, new.reference) == ("b", None)


def test_a_file_is_used_as_ce_t1_of_a_new_row(table):
    folder = table.parent / "b"
    (folder / "ceT1.nii.gz").rename(folder / "T1.nii.gz")
    (gap,) = [one for one in rescan(table).gaps if one.sequence is Sequence.CET1]
    mended = result_of(project_table.mend(table, gap, path=gap.candidates[0], stop=STOP))
    assert mended.case == "b"
    assert mended.project.cohort["b"].paths == {
        "ceT1": folder / "T1.nii.gz",
        "T2": folder / "T2.nii.gz",
        "reference": folder / "necrosis.nii.gz",
    }


def test_t2_is_put_into_the_row_that_lacks_it(table):
    t2 = table.parent / "a" / "T2.nii.gz"
    (gap,) = rescan(table).gaps
    assert gap == Gap(case="a", folder=t2.parent, sequence=Sequence.T2, candidates=(t2,))
    mended = result_of(project_table.mend(table, gap, path=t2, stop=STOP))
    assert mended.project.cohort["a"].sequences[Sequence.T2] == t2
    assert table.read_text().splitlines()[1] == "a;a/T2.nii.gz;a/ceT1.nii.gz;the first"
    assert rescan(table).gaps == ()


def test_what_is_no_image_is_refused_before_the_table_changes(table):
    folder = table.parent / "b"
    (folder / "ceT1.nii.gz").rename(folder / "T1.nii.gz")
    (gap,) = [one for one in rescan(table).gaps if one.sequence is Sequence.CET1]
    before = table.read_text()
    with pytest.raises(NecrosegError):
        result_of(project_table.mend(table, gap, path=table, stop=STOP))
    assert table.read_text() == before


def test_exchanged_columns_are_noticed_and_exchanged_back(table):
    table.write_text("case,ceT1,T2\na,a/T2.nii.gz,a/ceT1.nii.gz\nb,b/ceT1.nii.gz,b/T2.nii.gz\n")
    (doubt,) = rescan(table).doubts
    assert (doubt.kind, doubt.case) == (DoubtKind.SWAPPED, "a")
    result_of(project_table.swap(table, read_cohort(table)["a"], stop=STOP))
    assert read_cohort(table)["a"].sequences[Sequence.CET1].name == "ceT1.nii.gz"
    assert rescan(table).doubts == ()


def test_an_image_is_left_out_of_a_row(table):
    table.write_text("case,ceT1,T2\na,a/ceT1.nii.gz,a/necrosis.nii.gz\n")
    (doubt,) = rescan(table).doubts
    assert doubt.kind is DoubtKind.MASK
    result_of(project_table.leave_out(table, "a", column="T2", stop=STOP))
    assert list(read_cohort(table)["a"].sequences) == [Sequence.CET1]
