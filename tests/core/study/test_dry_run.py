"""What a study would do, said before any of it runs."""

from pathlib import Path

from small_study import CHOICES, of_kind

from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.study.dry_run import plan_study


def test_a_dry_run_writes_the_folds_alone_and_says_what_each_run_is(project: Path) -> None:
    table, out = project / "cohort.csv", project / "study" / "a"
    config = StudyConfig.checked(**CHOICES | {"minutes_per_run": 3, "steps_per_run": None})
    events = list(plan_study(read_cohort(table), config, out=out))
    planned = of_kind(events, "run")
    assert [(event.fold, event.iterations, event.minutes) for event in planned] == [
        (1, None, 3),
        (2, None, 3),
    ]
    # Three minutes of training, and the two cases that each run predicts and scores.
    assert all(182 < event.estimated_s < 240 and event.estimated_iterations > 0 for event in planned)
    assert events[-1].result.estimated_s == sum(event.estimated_s for event in planned)
    assert events[-1].result.fold_sizes == (2, 2)
    assert [path.name for path in out.iterdir()] == ["folds.csv"]


def test_the_paper_preset_is_as_long_as_published(project: Path) -> None:
    """Two training cases of 1,800 patches: 3,600 volumes of 64 slices, 32 a mini-batch."""
    table, out = project / "cohort.csv", project / "study" / "a"
    config = StudyConfig.checked(**CHOICES | {"preset": "paper", "steps_per_run": None})
    planned = of_kind(list(plan_study(read_cohort(table), config, out=out)), "run")
    assert [event.iterations for event in planned] == [7200, 7200]
