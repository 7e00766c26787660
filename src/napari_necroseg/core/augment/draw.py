"""All randomness of the augmentation: from ranges to the values of one sample."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.augment.drawn import Drawn, crop_centre
from napari_necroseg.core.augment.geometry import mapping
from napari_necroseg.core.augment.place import centred_on_witness, shown
from napari_necroseg.core.augment.source import Shape, Source
from napari_necroseg.core.config import AugmentConfig, Range

# How often the translation is drawn again before the patch is centred on the target.
MOST_SHIFTS = 20


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What is cut from a case.

    Parameters
    ----------
    patch_shape
        Voxels of the patch, all its slices included, in 2D, too.
    is_2d
        Whether a sample is one slice of the patch.
    target_share
        Share of the patches that stand at the target (without one: in the middle of the image) and surely
        show some of it; the others lie anywhere in the image.
    slice_share
        Of the 2D samples from patches at the target the share whose slice surely shows it; the other slices
        are drawn from all of the patch, as in the paper.
    """

    patch_shape: Shape
    is_2d: bool
    target_share: float = 1.0
    slice_share: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class _Chances:
    """The numbers from 0 to 1 behind one draw, always the same in number and order.

    So changing one range, or switching a transform off, changes nothing else of the draw.
    """

    blur: list[float]
    gamma: list[float]
    mirror: list[float]
    scale: float
    transversal: float
    sagittal: float
    sigma: float
    elastic_seed: int
    target: float
    slice: float
    pick: float
    shifts: list[list[float]]


def draw(config: AugmentConfig, source: Source, generator: np.random.Generator, *, cut: Cut) -> Drawn:
    """Draw one sample of a case.

    Where the translation leaves nothing of the target in the patch, it is drawn again; after `MOST_SHIFTS`
    draws the patch is centred on a voxel of the target.
    """
    return draw_batch(config, [source], [generator], cut=cut)[0]


def draw_batch(
    config: AugmentConfig, sources: Sequence[Source], generators: Sequence[np.random.Generator], *, cut: Cut
) -> list[Drawn]:
    """Draw a sample of each source, each by its own generator: as `draw` one by one, but faster."""
    makings = [
        _Making(config, cut, source, _chances(source, generator))
        for source, generator in zip(sources, generators, strict=True)
    ]
    draws = [making.first() for making in makings]
    views = _keep_promise(makings, draws)
    if not cut.is_2d:
        return draws
    return [
        replace(drawn, slice_index=making.slice_index(view))
        for making, drawn, view in zip(makings, draws, views, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Making:
    """One draw in the making."""

    config: AugmentConfig
    cut: Cut
    source: Source
    chances: _Chances

    @property
    def is_at_target(self) -> bool:
        return self.chances.target < self.cut.target_share

    def first(self) -> Drawn:
        """Return the draw at its first place."""
        if self.is_at_target:
            centre, shift = self._corner_at_target(), self._shift(0)
        else:
            centre, shift = self._corner_anywhere(), (0, 0)
        return Drawn(
            centre_voxels=crop_centre(centre, self.cut.patch_shape),
            shift_voxels=shift,
            **self._intensity(),
            **self._flips_and_scale(),
            **self._rotation(),
            **self._elastic(),
        )

    def moved(self, drawn: Drawn, attempt: int) -> Drawn:
        """Return the draw with another shift; at last one that shows the target in the middle."""
        if attempt < MOST_SHIFTS:
            return replace(drawn, shift_voxels=self._shift(attempt))
        number = int(self.chances.pick * len(self.source.witnesses))
        return centred_on_witness(self.source, drawn, patch_shape=self.cut.patch_shape, number=number)

    def slice_index(self, view: NDArray[np.int64]) -> int:
        """Choose the slice of a 2D sample, knowing where the patch shows the target."""
        if self.is_at_target and len(view) and self.chances.slice < self.cut.slice_share:
            return int(view[int(self.chances.pick * len(view)), 0])
        return int(self.chances.pick * self.cut.patch_shape[0])

    def _intensity(self) -> dict[str, Any]:
        config, chances = self.config, self.chances
        return {
            "blur_sigma_voxels": tuple(
                _between(config.blur_sigma_voxels, number) if config.blur else 0.0 for number in chances.blur
            ),
            "gamma": tuple(
                _log_between(config.gamma_range, number) if config.gamma else 1.0 for number in chances.gamma
            ),
        }

    def _flips_and_scale(self) -> dict[str, Any]:
        config, chances = self.config, self.chances
        return {
            "is_mirrored": tuple(
                config.mirror and number < config.mirror_probability for number in chances.mirror
            ),
            "scale": _between(config.scale_range, chances.scale) if config.scaling else 1.0,
        }

    def _rotation(self) -> dict[str, Any]:
        config, chances = self.config, self.chances
        if not config.rotation:
            return {}
        return {
            "rotation_transversal_deg": _between(config.rotation_transversal_deg, chances.transversal),
            "rotation_sagittal_deg": _between(config.rotation_sagittal_deg, chances.sagittal),
        }

    def _elastic(self) -> dict[str, Any]:
        config, chances = self.config, self.chances
        if not config.elastic:
            return {}
        in_plane = config.elastic_in_plane_voxels
        return {
            "elastic_voxels": (config.elastic_through_plane_voxels, in_plane, in_plane),
            "elastic_points": config.elastic_points,
            "elastic_sigma_cells": _between(config.elastic_sigma_cells, chances.sigma),
            "elastic_seed": chances.elastic_seed,
        }

    def _shift(self, attempt: int) -> tuple[int, int]:
        most = self.config.shift_voxels if self.config.translation else 0
        down, right = self.chances.shifts[attempt]
        return math.floor(down * (2 * most + 1)) - most, math.floor(right * (2 * most + 1)) - most

    def _corner_at_target(self) -> tuple[int, int, int]:
        """Return the corner of the patch with the target's centre of mass in its middle."""
        row, column = (round(place) for place in self.source.target_centre)
        middle = (self.source.shape[0] // 2, row, column)
        z, y, x = (place - size // 2 for place, size in zip(middle, self.cut.patch_shape, strict=True))
        return z, y, x

    def _corner_anywhere(self) -> tuple[int, int, int]:
        """Return the corner of a patch inside the image, or about its middle where it is smaller."""
        slices, *rooms = np.subtract(self.source.shape, self.cut.patch_shape).tolist()
        row, column = (
            int(number * (room + 1)) if room > 0 else room // 2
            for room, number in zip(rooms, self.chances.shifts[0], strict=True)
        )
        return slices // 2, row, column


def _keep_promise(makings: list[_Making], draws: list[Drawn]) -> list[NDArray[np.int64]]:
    """Replace each draw that should show the target and does not; return what each surely shows of it."""
    views = [np.empty((0, 3), np.int64)] * len(draws)
    left = [
        number
        for number, making in enumerate(makings)
        if making.is_at_target and len(making.source.witnesses)
    ]
    for attempt in range(1, MOST_SHIFTS + 2):
        if not left:
            break
        sources = [makings[number].source for number in left]
        mapped = mapping(
            [draws[number] for number in left],
            [source.spacing_mm for source in sources],
            makings[0].cut.patch_shape,
        )
        for number, view in zip(left, shown(sources, mapped), strict=True):
            views[number] = view
        left = [number for number in left if not len(views[number])]
        for number in left:
            draws[number] = makings[number].moved(draws[number], attempt)
    return views


def _chances(source: Source, generator: np.random.Generator) -> _Chances:
    n_sequences = source.n_sequences
    numbers = generator.random(2 * n_sequences + 10 + 2 * MOST_SHIFTS)
    intensity, others = numbers[: 2 * n_sequences].tolist(), numbers[2 * n_sequences :].tolist()
    scale, transversal, sagittal, sigma, target, of_slice, pick = others[3:10]
    return _Chances(
        blur=intensity[:n_sequences],
        gamma=intensity[n_sequences:],
        mirror=others[:3],
        scale=scale,
        transversal=transversal,
        sagittal=sagittal,
        sigma=sigma,
        elastic_seed=int(generator.integers(2**31)),
        target=target,
        slice=of_slice,
        pick=pick,
        shifts=numbers[2 * n_sequences + 10 :].reshape(MOST_SHIFTS, 2).tolist(),
    )


def _between(bounds: Range, number: float) -> float:
    low, high = bounds
    return low + (high - low) * number


def _log_between(bounds: Range, number: float) -> float:
    low, high = bounds
    return float(low * (high / low) ** number)
