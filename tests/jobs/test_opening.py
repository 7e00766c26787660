"""Whatever a person drops or chooses ends in a project, a pair or a question, all without a screen."""

import shutil
import threading
from pathlib import Path

import nibabel
import pytest

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.errors import CohortError, FileError
from napari_necroseg.core.events import Finished
from napari_necroseg.jobs.cases import OpenedCohort
from napari_necroseg.jobs.opening import Ask, Question, Wish, is_wanted, open_pair, open_paths


def result_of(job):
    results = [event.result for event in job if isinstance(event, Finished)]
    assert len(results) == 1
    return results[0]


def opened(*paths: Path, project: Path | None = None, **answers: str):
    """Open paths, and answer what is asked; what is asked without an answer is returned."""
    wish = Wish(paths=paths, project=project)
    while True:
        found = result_of(open_paths(wish, stop=threading.Event()))
        if isinstance(found, OpenedCohort) or found.ask.name.lower() not in answers:
            return found
        wish = wish.answered(found, answers[found.ask.name.lower()])


@pytest.fixture
def study(tmp_path: Path, write_case) -> Path:
    for seed, name in enumerate(("case-01", "case-02")):
        write_case(tmp_path / "study" / name, seed)
    return tmp_path / "study"


@pytest.fixture
def project(study: Path) -> Path:
    return opened(study).path


@pytest.fixture
def elsewhere(tmp_path: Path, write_case) -> Path:
    return write_case(tmp_path / "elsewhere" / "case-09", 9)


def test_a_folder_of_cases_becomes_a_project_with_a_table(study):
    found = opened(study)
    assert found.path == study / "cohort.csv"
    assert found.cohort.names == ("case-01", "case-02")
    assert (found.first, found.problems, found.gaps) == ("case-01", (), ())


def test_a_table_and_its_folder_are_read_and_never_written(project):
    before = project.read_bytes()
    assert opened(project).cohort == opened(project.parent).cohort == read_cohort(project)
    assert project.read_bytes() == before
    assert not list(project.parent.glob("*.bak*"))


def test_the_last_case_comes_first_unless_it_is_signed_off(project, sign_off):
    def first(last: str) -> str:
        wish = Wish(paths=(project,), last={project.parent: last})
        return result_of(open_paths(wish, stop=threading.Event())).first

    labels = project.parent / "labels"
    labels.mkdir()
    for name in ("case-01", "case-02"):
        shutil.copy(project.parent / name / "necrosis.nii.gz", labels / f"{name}.nii.gz")
    assert first("case-02") == "case-02"
    assert first("gone") == "case-01"
    sign_off(labels, "case-01")
    assert first("case-01") == "case-02"
    sign_off(labels, "case-02")
    assert first("case-01") == "case-01"


def test_a_pair_that_joins_no_project_has_no_table(elsewhere):
    found = opened(elsewhere / "T2.nii.gz", elsewhere / "ceT1.nii.gz")
    assert found.path is None
    (case,) = found.cohort
    assert (case.name, found.first) == ("case-09", "case-09")
    assert case.sequences[Sequence.CET1] == elsewhere / "ceT1.nii.gz"
    assert not (elsewhere / "cohort.csv").exists()


def test_the_images_of_a_listed_case_open_its_project(project):
    for what in (project.parent / "case-02", project.parent / "case-02" / "ceT1.nii.gz"):
        found = opened(what)
        assert (found.path, found.first) == (project, "case-02")


def test_a_new_case_in_the_folder_of_a_project_is_asked_about_and_joins(project, write_case):
    before = project.read_text()
    new = write_case(project.parent / "case-03", 3)
    question = opened(new)
    assert isinstance(question, Question)
    assert (question.ask, question.values["project"], question.values["names"]) == (
        Ask.JOIN,
        "study",
        ("case-03",),
    )
    assert project.read_text() == before
    found = opened(new, join="join")
    assert (found.cohort.names, found.first) == (("case-01", "case-02", "case-03"), "case-03")
    assert project.read_text().startswith(before)
    assert project.with_name("cohort.csv.bak-1").read_text() == before


def test_a_pair_from_elsewhere_keeps_the_open_project_or_asks(project, elsewhere):
    pair = (elsewhere / "ceT1.nii.gz", elsewhere / "T2.nii.gz")
    assert opened(*pair, project=project).ask is Ask.JOIN
    alone = opened(*pair, project=project, join="alone")
    assert (alone.path, alone.cohort.names) == (None, ("case-09",))
    joined = opened(elsewhere, project=project, join="join")
    assert (joined.path, joined.first) == (project, "case-09")
    again = opened(*pair, project=project)
    assert (again.path, again.first) == (project, "case-09")


def test_a_name_that_is_taken_gets_a_number(project, tmp_path, write_case):
    other = write_case(tmp_path / "other" / "case-01", 5)
    found = opened(other, project=project, join="join")
    assert found.first == "case-01-2"


def test_several_folders_are_a_project_in_the_folder_above(study, write_case):
    write_case(study / "case-03", 3)
    found = opened(study / "case-01", study / "case-03")
    assert (found.path, found.cohort.names) == (study / "cohort.csv", ("case-01", "case-03"))


def test_files_of_several_cases_are_a_project(tmp_path, elsewhere):
    folder = tmp_path / "flat"
    folder.mkdir()
    for case in ("a-1", "a-2"):
        for name in ("ceT1", "T2"):
            shutil.copy(elsewhere / f"{name}.nii.gz", folder / f"{case}_{name}.nii.gz")
    found = opened(*folder.iterdir())
    assert (found.path, found.cohort.names) == (folder / "cohort.csv", ("a-1", "a-2"))


def test_a_pair_is_named_by_its_files_or_by_its_folder(tmp_path, elsewhere):
    folder = tmp_path / "patient-7" / "nifti"
    folder.mkdir(parents=True)
    for name in ("ceT1", "T2"):
        shutil.copy(elsewhere / f"{name}.nii.gz", folder / f"{name}.nii.gz")
        shutil.copy(elsewhere / f"{name}.nii.gz", folder / f"case-4_{name}.nii.gz")
    assert opened(folder / "ceT1.nii.gz", folder / "T2.nii.gz").first == "patient-7"
    assert opened(folder / "case-4_ceT1.nii.gz", folder / "case-4_T2.nii.gz").first == "case-4"


def test_a_t1_of_unknown_contrast_is_asked_about_and_never_taken(tmp_path, elsewhere):
    t1 = elsewhere / "T1.nii.gz"
    (elsewhere / "ceT1.nii.gz").rename(t1)
    pair = (t1, elsewhere / "T2.nii.gz")
    question = opened(*pair)
    assert (question.ask, question.choices) == (Ask.CET1, (str(t1),))
    (case,) = opened(*pair, cet1=str(t1)).cohort
    assert case.paths == {"ceT1": t1, "T2": pair[1]}


def test_files_whose_names_tell_nothing_are_asked_about_one_by_one(elsewhere):
    one, other = elsewhere / "one.nii.gz", elsewhere / "other.nii.gz"
    (elsewhere / "ceT1.nii.gz").rename(one)
    (elsewhere / "T2.nii.gz").rename(other)
    assert opened(one, other).choices == (str(one), str(other))
    assert opened(one, other, cet1=str(one)).ask is Ask.T2
    (case,) = opened(one, other, cet1=str(one), t2=str(other)).cohort
    assert case.paths == {"ceT1": one, "T2": other}
    (case,) = opened(one, other, cet1=str(other), t2="none").cohort
    assert case.paths == {"ceT1": other}


def test_exchanged_images_are_asked_about_and_can_be_exchanged(elsewhere):
    files = CaseFiles(
        name="x",
        sequences={Sequence.CET1: elsewhere / "T2.nii.gz", Sequence.T2: elsewhere / "ceT1.nii.gz"},
    )
    wish = Wish(paths=())
    question = result_of(open_pair(files, wish, stop=threading.Event()))
    assert (question.ask, question.choices) == (Ask.SWAPPED, ("swap", "keep"))
    for answer, cet1 in (("swap", "ceT1.nii.gz"), ("keep", "T2.nii.gz")):
        job = open_pair(files, wish.answered(question, answer), stop=threading.Event())
        (case,) = result_of(job).cohort
        assert (case.name, case.sequences[Sequence.CET1].name) == ("case-09", cet1)


def test_t2_of_another_patient_is_asked_about_and_can_be_left_out(study):
    pair = (study / "case-01" / "ceT1.nii.gz", study / "case-02" / "T2.nii.gz")
    assert opened(*pair).ask is Ask.OTHER
    (case,) = opened(*pair, other="without").cohort
    assert list(case.sequences) == [Sequence.CET1]
    (case,) = opened(*pair, other="keep").cohort
    assert case.sequences[Sequence.T2] == pair[1]


def test_a_mask_as_ce_t1_is_asked_about(elsewhere):
    mask = Path(shutil.copy(elsewhere / "necrosis.nii.gz", elsewhere / "c_ceT1.nii.gz"))
    assert opened(mask).ask is Ask.MASK
    assert opened(mask).choices == ("keep",)
    assert len(opened(mask, mask="keep").cohort) == 1


def test_masks_alone_and_strange_files_are_refused_in_a_sentence(elsewhere, tmp_path):
    with pytest.raises(FileError, match="named like a mask"):
        opened(elsewhere / "necrosis.nii.gz")
    with pytest.raises(FileError, match="There is no file"):
        opened(tmp_path / "nothing")
    (tmp_path / "a.py").write_text("")
    with pytest.raises(FileError, match=r"a\.py cannot be opened"):
        opened(tmp_path / "a.py")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CohortError, match="There is no image in"):
        opened(tmp_path / "empty")


def test_a_folder_without_a_certain_ce_t1_tells_what_might_be_it(elsewhere):
    (elsewhere / "ceT1.nii.gz").rename(elsewhere / "T1.nii.gz")
    found = opened(elsewhere)
    assert (len(found.cohort), found.path, found.table) == (0, None, elsewhere / "cohort.csv")
    (gap,) = found.gaps
    assert (gap.case, gap.sequence, gap.candidates) == (
        "case-09",
        Sequence.CET1,
        (elsewhere / "T1.nii.gz",),
    )
    assert not (elsewhere / "cohort.csv").exists()


def test_a_truncated_ce_t1_is_a_problem_and_not_a_case(study):
    cut = study / "case-02" / "ceT1.nii.gz"
    image = nibabel.load(cut)
    plain = cut.with_name("ceT1.nii")
    nibabel.save(image, plain)
    plain.write_bytes(plain.read_bytes()[:-500])
    cut.unlink()
    found = opened(study)
    assert found.cohort.names == ("case-01",)
    assert any("truncated" in problem for problem in found.problems)


def test_where_the_table_goes_is_asked_if_the_folder_cannot_be_written(study, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    assert opened(study).ask is Ask.PLACE
    table = tmp_path / "tables" / "cohort.csv"
    table.parent.mkdir()
    found = opened(study, place=str(table))
    assert (found.path, found.cohort.names) == (table, ("case-01", "case-02"))


def test_what_is_dropped_is_wanted_or_left_to_napari(study, project, tmp_path):
    for name in ("a.py", "a.png", "table.csv", "stack.tif", "x_T2.tif"):
        (tmp_path / name).write_text("x,y\n")
    (tmp_path / "image.zarr").mkdir()
    case = study / "case-01"
    wanted = [
        (study,),
        (case, study / "case-02"),
        (project,),
        (case / "ceT1.nii.gz",),
        (tmp_path / "x_T2.tif",),
    ]
    wanted.append((case / "ceT1.nii.gz", case / "necrosis.nii.gz"))
    left = [(tmp_path / name,) for name in ("a.py", "a.png", "table.csv", "stack.tif", "image.zarr")]
    left += [(case / "necrosis.nii.gz",), (study, tmp_path / "a.py"), ()]
    assert [is_wanted(paths) for paths in wanted] == [True] * len(wanted)
    assert [is_wanted(paths) for paths in left] == [False] * len(left)
