"""Turns a slice of a mask into closed lines along the edges of its pixels."""

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.volume import Voxels

Point = tuple[int, int]
Line = NDArray[np.float64]


def outlines(mask: Voxels) -> list[Line]:
    """Return the closed outlines of a mask, holes included.

    `mask`: ``(row, column)``; what is not 0 is inside. Returns arrays ``(N, 2)`` of row and column, in which
    pixel 3 reaches from 3 to 4; the last point joins the first. Pixels that touch at a corner only are
    outlined each on its own.
    """
    steps = _steps(mask != 0)
    lines = []
    while steps:
        start = next(iter(steps))
        lines.append(_walk(steps, start))
    return lines


def _steps(inside: NDArray[np.bool_]) -> dict[Point, list[Point]]:
    """Return the edges of pixels from corner to corner, with the inside at the right hand."""
    padded = np.pad(inside, 1).astype(np.int8)
    down, right = np.diff(padded, axis=0), np.diff(padded, axis=1)
    steps: dict[Point, list[Point]] = {}
    for jumps, sign, (start, end) in (
        (down, 1, ((0, -1), (0, 0))),
        (down, -1, ((0, 0), (0, -1))),
        (right, 1, ((0, 0), (-1, 0))),
        (right, -1, ((-1, 0), (0, 0))),
    ):
        for row, column in np.argwhere(jumps == sign).tolist():
            begin = (row + start[0], column + start[1])
            steps.setdefault(begin, []).append((row + end[0], column + end[1]))
    return steps


def _walk(steps: dict[Point, list[Point]], start: Point) -> Line:
    """Take the edges of one outline out of the others; return the corners where it turns."""
    here, there = start, steps[start][0]
    corners = []
    before: Point | None = None
    while True:
        _take(steps, here, there=there)
        heading = (there[0] - here[0], there[1] - here[1])
        if heading != before:
            corners.append(here)
        before, here = heading, there
        if here == start:
            return np.array(corners, dtype=np.float64)
        # Where two outlines touch, a right turn stays with the pixel.
        ahead, turned = steps[here], (here[0] + heading[1], here[1] - heading[0])
        there = turned if turned in ahead else ahead[0]


def _take(steps: dict[Point, list[Point]], here: Point, *, there: Point) -> None:
    steps[here].remove(there)
    if not steps[here]:
        del steps[here]
