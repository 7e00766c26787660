"""The published scores (Steffen, Hille et al., Table 1), measured on other patients: for orientation only."""

from collections.abc import Mapping
from dataclasses import dataclass

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config import Dimension

COHORT = "26 spine patients of the paper (six folds)"
_BOTH = (Sequence.CET1, Sequence.T2)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A score of Table 1 in percent; `mean` is None where our copy of the text is damaged."""

    mean: float | None
    median: float
    std: float

    def __str__(self) -> str:
        return f"median {self.median:.1f} %" if self.mean is None else f"{self.mean:.1f} ± {self.std:.1f} %"


def published(
    dimension: Dimension = "2d", sequences: tuple[Sequence, ...] = _BOTH
) -> Mapping[str, Published]:
    """Return Table 1's Dice, sensitivity and specificity of a configuration, by the name of the score.

    The paper does not state the region for specificity.
    """
    return {
        name: Published(mean=mean, median=median, std=std)
        for name, (mean, median, std) in zip(_SCORES, _TABLE_1[dimension, sequences], strict=True)
    }


_SCORES = ("dice", "sensitivity", "specificity")

# Mean, median, standard deviation of each.
_TABLE_1: dict[tuple[Dimension, tuple[Sequence, ...]], tuple[tuple[float | None, float, float], ...]] = {
    ("2d", (Sequence.CET1,)): ((76.7, 83.5, 19.0), (None, 84.5, 17.1), (99.2, 99.6, 0.9)),
    ("2d", (Sequence.T2,)): ((62.2, 65.9, 21.7), (None, 76.0, 20.3), (98.8, 99.1, 1.0)),
    ("2d", _BOTH): ((77.2, 82.3, 15.6), (None, 81.0, 15.4), (99.2, 99.5, 0.8)),
    ("3d", (Sequence.CET1,)): ((72.7, 78.1, 18.7), (77.7, 86.2, 21.5), (99.1, 99.4, 0.9)),
    ("3d", (Sequence.T2,)): ((60.4, 63.3, 27.4), (63.1, 71.1, 26.5), (98.7, 99.0, 1.3)),
    ("3d", _BOTH): ((75.9, 80.7, 17.2), (77.8, 82.6, 19.6), (99.2, 99.6, 0.9)),
}
