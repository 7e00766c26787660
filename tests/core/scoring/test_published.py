"""Table 1 as our text of it has it: every configuration, and nothing that cannot be read."""

import pytest

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.scoring.published import published

BOTH = (Sequence.CET1, Sequence.T2)


def test_the_best_configuration_is_the_one_of_the_abstract() -> None:
    assert str(published()["dice"]) == "77.2 ± 15.6 %"


@pytest.mark.parametrize("sequences", [BOTH, BOTH[:1], BOTH[1:]])
def test_sensitivities_that_cannot_be_read_are_not_quoted(sequences) -> None:
    assert published("2d", sequences)["sensitivity"].mean is None
    assert published("3d", sequences)["sensitivity"].mean is not None


def test_each_configuration_has_its_own_numbers() -> None:
    dice = [published(d, s)["dice"].mean for d in ("2d", "3d") for s in (BOTH[:1], BOTH[1:], BOTH)]
    assert dice == [76.7, 62.2, 77.2, 72.7, 60.4, 75.9]
