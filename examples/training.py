"""Train one network on all cases but the last: ``python training.py my-study MINUTES``."""

# %% The cohort's table is what `necroseg prepare my-study` writes.
import sys

from napari_necroseg import read_cohort, run, train, train_preset

folder, minutes = sys.argv[1], float(sys.argv[2])
cohort = read_cohort(folder)
left_out = cohort.names[-1]

# %% A preset gives the whole configuration; any field of it can be changed.
config = train_preset("fast", "2d").changed(minutes=minutes, sequences=("ceT1", "T2"))
print(config)

# %% A training is a generator of events; `run` goes through it.
trained = run(train(cohort.without([left_out]), config, out=f"{folder}/models/example"), on_event=print)
print("Not learned from:", left_out, "- the model:", trained.run)
