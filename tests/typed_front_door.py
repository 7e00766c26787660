"""What mypy finds of the public names; `make types` checks it, nothing runs it."""

from typing import assert_type

from napari_necroseg import Case, Cohort, TrainConfig, load_case, read_cohort, train_preset

cohort = read_cohort("my-study")
assert_type(cohort, Cohort)
assert_type(cohort.names, tuple[str, ...])
assert_type(load_case(cohort["case-01"]), Case)
assert_type(train_preset("fast", "2d"), TrainConfig)
