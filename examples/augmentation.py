"""Training samples of one case, as a training draws them: ``python augmentation.py my-study/case-01``."""

# %% Each sample comes with the draw that made it.
import sys

from napari_necroseg import draw_samples, load_case, train_preset

case = load_case(sys.argv[1])
for sample in draw_samples(case, train_preset("paper", "3d"), n=2):
    print(sample.number, sample.images.shape, f"{sample.target.mean():.1%} necrosis", sample.drawn)
