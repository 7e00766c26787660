"""The paper's experiment on your own cases: ``python headless_study.py my-study MINUTES_A_RUN``."""

import sys

from napari_necroseg import StudyConfig, read_cohort, run, run_study

folder, minutes = sys.argv[1], float(sys.argv[2])
config = StudyConfig(
    preset="fast", folds=2, configurations=("2d:ceT1", "2d:ceT1+T2"), minutes_per_run=minutes
)
done = run(run_study(read_cohort(folder), config, out=f"{folder}/study/first"), on_event=print)
print("The report:", done.report)
