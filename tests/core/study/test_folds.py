from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.study.folds import (
    check_folds,
    draw_folds,
    fold_sizes,
    folds_of_cohort,
    read_folds,
    write_folds,
)


def own_patients(names: list[str]) -> dict[str, str]:
    return {name: f"patient of {name}" for name in names}


def cohort_of(names: list[str], folds: list[int | None] | None = None) -> Cohort:
    given_folds = folds or [None] * len(names)
    return Cohort(
        cases=tuple(
            CaseFiles(name=name, sequences={Sequence.CET1: Path("a.nii")}, fold=fold)
            for name, fold in zip(names, given_folds, strict=True)
        )
    )


def test_26_cases_give_the_papers_folds() -> None:
    names = [f"case-{n:02d}" for n in range(26)]
    folds = draw_folds(dict.fromkeys(names, 1.0), own_patients(names), folds=6, seed=0)
    assert fold_sizes(folds) == (5, 5, 4, 4, 4, 4)
    assert list(folds) == names


def test_every_fold_has_one_of_each_size_class() -> None:
    """Twelve cases of 1 to 12 mL in four folds: each has one of the four largest, and so on."""
    names = [f"{ml:02d}" for ml in range(1, 13)]
    folds = draw_folds({name: float(name) for name in names}, own_patients(names), folds=4, seed=3)
    for block in (names[:4], names[4:8], names[8:]):
        assert sorted(folds[name] for name in block) == [1, 2, 3, 4]


def test_the_seed_decides() -> None:
    names = [str(n) for n in range(20)]
    drawn = [
        draw_folds({name: float(name) for name in names}, own_patients(names), folds=5, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@given(
    cases=st.lists(st.tuples(st.integers(0, 9), st.floats(0, 200)), min_size=1, max_size=60),
    folds=st.integers(2, 6),
    seed=st.integers(0, 99),
)
def test_no_patient_is_divided_and_no_fold_is_empty(
    cases: list[tuple[int, float]], folds: int, seed: int
) -> None:
    volumes = {f"case-{n}": ml for n, (_, ml) in enumerate(cases)}
    patients = {f"case-{n}": f"patient-{patient}" for n, (patient, _) in enumerate(cases)}
    n_patients = len(set(patients.values()))
    if n_patients < folds:
        with pytest.raises(
            CohortError, match=f"{folds} folds need as many patients, but there are {n_patients}"
        ):
            draw_folds(volumes, patients, folds=folds, seed=seed)
        return
    drawn = draw_folds(volumes, patients, folds=folds, seed=seed)
    assert drawn.keys() == volumes.keys()
    check_folds(drawn, patients, n_folds=folds)
    patients_in = Counter(fold for _, fold in {(patients[case], fold) for case, fold in drawn.items()})
    assert set(patients_in) == set(range(1, folds + 1))


def test_single_examinations_keep_folds_within_one_of_each_other() -> None:
    for n in range(6, 40):
        names = [str(k) for k in range(n)]
        sizes = fold_sizes(draw_folds(dict.fromkeys(names, 0.0), own_patients(names), folds=6, seed=n))
        assert max(sizes) - min(sizes) <= 1
        assert list(sizes) == sorted(sizes, reverse=True)


def test_the_table_comes_back_and_may_be_edited(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    write_folds(tmp_path / "folds.csv", {"a": 1, "b": 2, "c": 1}, patients=own_patients(names))
    text = (tmp_path / "folds.csv").read_text()
    assert text == "case,patient,fold\na,patient of a,1\nb,patient of b,2\nc,patient of c,1\n"
    (tmp_path / "folds.csv").write_text("fold;case\n2;c\n1;a\n2;b\n")
    assert read_folds(tmp_path / "folds.csv", cohort_of(names)) == {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("case,fold\na,1\nb,2\n", "'c' has no row"),
        ("case,fold\na,1\nb,2\nc,1\nd,2\n", "'d' is not in the cohort"),
        ("case,fold\na,1\na,2\nb,1\nc,1\n", "row 3: a case needs one row"),
        ("case,fold\na,1\nb,0\nc,1\n", "row 3: a case needs one row, and a fold from 1"),
        ("case,part\na,1\n", "needs the columns"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "folds.csv").write_text(text)
    with pytest.raises(CohortError, match=complaint):
        read_folds(tmp_path / "folds.csv", cohort_of(["a", "b", "c"]))


def test_a_divided_patient_and_another_number_of_folds_are_refused() -> None:
    patients = {"a": "x", "b": "x", "c": "y"}
    with pytest.raises(CohortError, match="a and b are of one patient, but in the folds 1 and 2"):
        check_folds({"a": 1, "b": 2, "c": 2}, patients, n_folds=2)
    with pytest.raises(CohortError, match="3 folds were asked for, but the cases are in the folds 1, 2"):
        check_folds({"a": 1, "b": 1, "c": 2}, patients, n_folds=3)
    check_folds({"a": 1, "b": 1, "c": 2}, patients, n_folds=2)


def test_the_folds_of_a_cohort_are_all_or_none() -> None:
    assert folds_of_cohort(cohort_of(["a", "b"])) is None
    assert folds_of_cohort(cohort_of(["a", "b"], [2, 1])) == {"a": 2, "b": 1}
    with pytest.raises(CohortError, match="1 of 2 cases have no fold"):
        folds_of_cohort(cohort_of(["a", "b"], [None, 1]))


def test_a_fold_that_only_looks_like_a_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folds.csv").write_text("case,fold\na,²\nb,1\nc,1\n", encoding="utf-8")
    with pytest.raises(CohortError, match="row 2: a case needs one row, and a fold from 1"):
        read_folds(tmp_path / "folds.csv", cohort_of(["a", "b", "c"]))
