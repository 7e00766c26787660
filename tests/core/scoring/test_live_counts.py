"""Counts that follow strokes: the same as counting everything again, whatever is painted where."""

import numpy as np
import pytest

from napari_necroseg.core.scoring.overlap import LiveCounts, count

SHAPE = (6, 20, 18)


@pytest.mark.parametrize("seed", range(20))
def test_counts_after_any_strokes_are_those_of_the_masks(seed: int) -> None:
    random = np.random.default_rng(seed)
    masks = {side: (random.random(SHAPE) < 0.3).astype(np.uint8) for side in ("reference", "prediction")}
    live = LiveCounts(masks["reference"] != 0, masks["prediction"] != 0)
    for _ in range(12):
        side = ("reference", "prediction")[random.integers(2)]
        low = [random.integers(size) for size in SHAPE]
        box = tuple(slice(at, at + random.integers(1, 6)) for at in low)
        part = masks[side][box]
        # Any label but 0 is inside; a brush changes some of its box.
        part[random.random(part.shape) < 0.6] = random.integers(0, 3)
        counts = live.paint(side, box, voxels=masks[side])
        assert counts == count(masks["reference"] != 0, masks["prediction"] != 0)
        assert counts == live.counts


def test_the_same_stroke_twice_counts_once() -> None:
    reference, prediction = np.zeros(SHAPE, bool), np.zeros(SHAPE, np.uint8)
    reference[2, 5:9, 5:9] = True
    live = LiveCounts(reference.copy(), prediction != 0)
    prediction[2, 5:9, 3:9] = 1
    box = (slice(2, 3), slice(5, 9), slice(3, 9))
    once = live.paint("prediction", box, voxels=prediction)
    assert live.paint("prediction", box, voxels=prediction) == once
    assert (once.true_positive, once.missed, once.extra) == (16, 0, 8)
