"""Live-wire: the path follows the edge between clicks, in millimetres, while the pointer moves."""

import time
from itertools import pairwise

import numpy as np
import pytest

from napari_necroseg.core.assist.livewire import LiveWire, edge_cost, enclosed
from napari_necroseg.core.errors import SettingsError

SPACING = (0.9, 0.7)


def disc(shape=(320, 320), centre=(150, 170), radius_mm=40.0, noise=5.0) -> tuple[np.ndarray, np.ndarray]:
    """A dark disc with a bright rim of 5 mm, and the distance of each pixel from its edge, mm."""
    rows, columns = np.indices(shape)
    radius = np.hypot((rows - centre[0]) * SPACING[0], (columns - centre[1]) * SPACING[1])
    pixels = np.select((radius <= radius_mm, radius <= radius_mm + 5), (40.0, 200.0), 110.0)
    return pixels + np.random.default_rng(0).normal(0, noise, shape), radius - radius_mm


def on_the_edge(angle_deg: float, radius_mm: float = 40.0, centre=(150, 170)) -> tuple[int, int]:
    angle = np.radians(angle_deg)
    return (
        round(centre[0] + radius_mm * np.sin(angle) / SPACING[0]),
        round(centre[1] + radius_mm * np.cos(angle) / SPACING[1]),
    )


@pytest.mark.parametrize(("first", "second"), [(0, 80), (200, 110), (-60, 30)])
def test_the_path_follows_the_edge_of_a_ring(first: float, second: float) -> None:
    pixels, from_edge_mm = disc()
    path = LiveWire([pixels], spacing_mm=SPACING).path(on_the_edge(first), on_the_edge(second))
    assert tuple(path[0]) == on_the_edge(first)
    assert tuple(path[-1]) == on_the_edge(second)
    assert np.abs(np.diff(path, axis=0)).max() == 1
    # No further than the diagonal of a pixel, while the chord is up to 9 mm away.
    assert np.abs(from_edge_mm[tuple(path.T)]).max() < np.hypot(*SPACING)


def test_four_clicks_enclose_the_disc() -> None:
    pixels, from_edge_mm = disc()
    wire = LiveWire([pixels], spacing_mm=SPACING)
    anchors = [on_the_edge(angle) for angle in (5, 95, 185, 275)]
    contour = np.concatenate([wire.path(*ends) for ends in pairwise([*anchors, anchors[0]])])
    mask = enclosed(contour, (320, 320))
    true = from_edge_mm <= 0
    assert 2 * (mask & true).sum() / (mask.sum() + true.sum()) > 0.97


def test_a_move_is_answered_within_30_ms() -> None:
    pixels, _ = disc()
    wire = LiveWire([pixels, pixels[::-1]], spacing_mm=SPACING)
    start = on_the_edge(0)
    wire.anchor(start)
    took = []
    for angle in range(0, 360, 12):
        started = time.perf_counter()
        wire.path(start, on_the_edge(angle))
        took.append(time.perf_counter() - started)
    assert np.median(took) < 0.03


def test_the_way_back_is_as_cheap() -> None:
    pixels, _ = disc(noise=40)
    wire = LiveWire([pixels], spacing_mm=SPACING)
    ends = (20, 30), (280, 250)
    lengths = []
    for start, end in (ends, ends[::-1]):
        path = wire.path(start, end)
        steps_mm = np.hypot(*(np.diff(path, axis=0) * SPACING).T)
        costs = wire.cost[tuple(path.T)]
        lengths.append(float((steps_mm * (costs[1:] + costs[:-1]) / 2).sum()))
    assert lengths[0] == pytest.approx(lengths[1])


def test_without_an_edge_near_the_way_is_short_in_mm() -> None:
    pixels = np.zeros((40, 40))
    pixels[:, -1] = 100
    path = LiveWire([pixels], spacing_mm=(5.0, 1.0)).path((10, 5), (10, 25))
    np.testing.assert_array_equal(path, [(10, column) for column in range(5, 26)])


def test_the_steepest_sequence_counts() -> None:
    pixels, from_edge_mm = disc(noise=0)
    flat = np.full_like(pixels, 3)
    np.testing.assert_array_equal(edge_cost([flat, pixels], SPACING), edge_cost([pixels], SPACING))
    cost = edge_cost([pixels], SPACING)
    # Both edges of the rim are nearly free, plain tissue is not.
    assert np.median(cost[np.abs(from_edge_mm) < 0.3]) < 0.1
    assert cost[from_edge_mm < -8].min() == pytest.approx(1)


def test_nonsense_is_refused() -> None:
    pixels, _ = disc()
    with pytest.raises(SettingsError, match="one value only"):
        LiveWire([np.ones((9, 9))], spacing_mm=SPACING)
    with pytest.raises(SettingsError, match="do not lie on one grid"):
        LiveWire([pixels, pixels[1:]], spacing_mm=SPACING)
    with pytest.raises(SettingsError, match="not numbers"):
        LiveWire([np.where(pixels > 150, np.nan, pixels)], spacing_mm=SPACING)
    wire = LiveWire([pixels], spacing_mm=SPACING)
    with pytest.raises(SettingsError, match=r"Pixel \(320, 0\) lies outside"):
        wire.path((5, 5), (320, 0))
    with pytest.raises(SettingsError, match=r"Pixel \(-1, 0\) lies outside"):
        wire.anchor((-1, 0))
