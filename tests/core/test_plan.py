"""From choices and a cohort to the length of a training; cases that cannot be trained on are named."""

from dataclasses import replace
from pathlib import Path

import pytest

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.config import TrainConfig, train_preset
from napari_necroseg.core.display import duration
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.plan import Plan, make_plan, with_fewer_cases


def cohort_of(n: int) -> Cohort:
    sequences = {sequence: Path(f"{sequence}.nii.gz") for sequence in Sequence}
    return Cohort(
        cases=tuple(
            CaseFiles(name=f"case-{i}", sequences=sequences, reference=Path("n.nii.gz")) for i in range(n)
        )
    )


def plan_of(config: TrainConfig, n_cases: int) -> Plan:
    return make_plan(config, cohort_of(n_cases))


@pytest.mark.parametrize(
    ("dimension", "n_cases", "iterations"),
    [("3d", 21, 18_900), ("3d", 22, 19_800), ("2d", 21, 75_600), ("2d", 22, 79_200)],
)
def test_the_paper_preset_has_exactly_the_papers_iterations(dimension, n_cases: int, iterations: int) -> None:
    plan = plan_of(train_preset("paper", dimension), n_cases)
    assert (plan.iterations, plan.seconds) == (iterations, None)


def test_a_case_less_is_as_many_iterations_less_where_the_cases_decide_their_number() -> None:
    plan = with_fewer_cases(plan_of(train_preset("paper", "3d"), 22), 21)
    assert plan.iterations == 18_900
    assert len(plan.cases) == 22
    assert with_fewer_cases(plan_of(train_preset("fast").changed(steps=7), 4), 3).iterations == 7
    assert with_fewer_cases(plan_of(train_preset("fast"), 4), 3).iterations is None


def test_a_time_limit_leaves_the_number_of_iterations_open() -> None:
    plan = plan_of(train_preset("fast").changed(minutes=1.5), 4)
    assert (plan.iterations, plan.seconds) == (None, 90.0)


def test_a_number_of_iterations_takes_the_place_of_the_time_limit() -> None:
    plan = plan_of(train_preset("fast").changed(steps=7), 4)
    assert (plan.iterations, plan.seconds) == (7, None)


def test_few_samples_still_make_one_iteration() -> None:
    assert plan_of(TrainConfig(dimension="3d", patches_per_case=1, batch_size=8), 1).iterations == 1


def test_the_plan_keeps_what_it_was_made_from() -> None:
    config = train_preset("fast").changed(sequences=("T2",))
    plan = plan_of(config, 2)
    assert plan.config == config
    assert plan.cases == ("case-0", "case-1")
    assert plan.channels == 1
    assert plan.patch_shape == (64, 64, 64)
    assert plan.widths == (16, 32, 64, 128, 128)


def test_three_dimensions_in_minutes_have_smaller_patches() -> None:
    assert plan_of(train_preset("fast", "3d"), 1).patch_shape == (32, 64, 64)
    assert plan_of(train_preset("paper", "3d"), 1).patch_shape == (64, 128, 128)
    chosen = plan_of(train_preset("paper", "2d").changed(slices=32, patches_per_case=10), 1)
    assert chosen.iterations == 32 * 10 // 32


def test_no_case_is_refused() -> None:
    with pytest.raises(CohortError, match="no case to train on"):
        plan_of(train_preset("fast"), 0)


def test_a_case_without_what_is_needed_is_named_with_all_that_it_lacks() -> None:
    cohort = cohort_of(2)
    lacking = replace(cohort.cases[1], sequences={Sequence.CET1: Path("a.nii")}, reference=None)
    with pytest.raises(
        CohortError, match="'case-1' cannot be trained on: it has no T2 and no reference mask"
    ):
        make_plan(train_preset("fast"), Cohort(cases=(cohort.cases[0], lacking)))


def test_the_tumour_mask_is_needed_only_where_it_is_the_target() -> None:
    with pytest.raises(CohortError, match="no tumour mask"):
        plan_of(train_preset("fast").changed(target="tumour"), 1)


def test_a_missing_t2_does_not_matter_to_a_training_on_cet1() -> None:
    case = replace(cohort_of(1).cases[0], sequences={Sequence.CET1: Path("a.nii")})
    config = train_preset("fast").changed(sequences=("ceT1",))
    assert make_plan(config, Cohort(cases=(case,))).channels == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.4, "4 s"), (89, "89 s"), (600, "10 min"), (6 * 3600, "6.0 h"), (72 * 3600, "3.0 days")],
)
def test_a_time_span_is_said_as_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text
