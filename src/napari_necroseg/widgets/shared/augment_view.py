"""What the preview shows of a draw: what is asked for, what is made of it, and how.

Axes: C sequences, Z slices, Y rows, X columns.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.config import AugmentConfig, only
from napari_necroseg.widgets.shared.augment_pixels import PATCH_SHAPE, Pixels, grid_lines, pictures

if TYPE_CHECKING:
    from napari_necroseg.core.augment.drawn import Drawn
    from napari_necroseg.core.augment.source import Source


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The images that the preview works on, as they are in the viewer.

    Parameters
    ----------
    names
        Of the sequences.
    images
        ``(N, Y, X)`` each, in working order.
    mask
        ``(N, Y, X)``, or None.
    spacing_mm
        Of slices, rows and columns.
    """

    names: tuple[str, ...]
    images: tuple[NDArray[np.generic], ...]
    mask: NDArray[np.generic] | None
    spacing_mm: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be shown.

    Parameters
    ----------
    config
        The ranges.
    seed, number
        Which draw.
    n_draws
        How many draws from this one on, for a contact sheet; 0 for one draw alone.
    values
        Fields of the draw that are given, in place of what is drawn; None to draw all.
    slice_index
        The slice of the patch.
    is_3d
        Whether the whole patch is whitened and shown, or the one slice.
    has_outline, has_grid
        What is drawn over the images.
    """

    config: AugmentConfig
    seed: int
    number: int
    n_draws: int
    values: dict[str, object] | None
    slice_index: int
    is_3d: bool
    has_outline: bool
    has_grid: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A draw, ready to be painted.

    Parameters
    ----------
    wish
        What it answers.
    names
        Of the sequences.
    originals, augmented
        ``(Y, X, 3)`` for each sequence.
    drawn
        The values of the draw.
    before_ml, after_ml
        Volume of the necrosis in the case and in the whole patch; None as long as only a slice was made.
    aspect
        Height of a pixel over its width.
    """

    wish: Wish
    names: tuple[str, ...]
    originals: tuple[Pixels, ...]
    augmented: tuple[Pixels, ...]
    drawn: "Drawn"
    before_ml: float | None
    after_ml: float | None
    aspect: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """Many draws at a glance: the first sequence of each, in rows of equal length."""

    wish: Wish
    tiles: tuple[Pixels, ...]
    aspect: float


class Preview:
    """The case in memory."""

    def __init__(self) -> None:
        self._subject: Subject | None = None
        self._source: Source | None = None
        self._plain: Drawn | None = None
        # The original beside the draw stays the same while a slider is moved: its pictures, and for what.
        self._originals: tuple[object, tuple[Pixels, ...]] = (None, ())

    def has(self, subject: Subject) -> bool:
        """Whether the case is in memory, so that a slice takes a few milliseconds."""
        return self._subject is subject

    def view(self, subject: Subject, wish: Wish, *, has_patch: bool) -> View:
        """Make the slice that is wished for and, if asked, the whole patch."""
        from napari_necroseg.core.augment.sample import sample

        source = self._loaded(subject)
        drawn = replace(self.drawn(subject, wish), slice_index=wish.slice_index)
        one = sample(source, drawn, patch_shape=PATCH_SHAPE)
        images, target = one.images.numpy(), one.target.numpy()
        after_ml = None
        if has_patch:
            patch = sample(source, replace(drawn, slice_index=None), patch_shape=PATCH_SHAPE)
            after_ml = _volume_ml(patch.target.numpy(), source)
            if wish.is_3d:
                images = patch.images[:, wish.slice_index].numpy()
        lines = grid_lines(source, drawn) if wish.has_grid else None
        return View(
            wish=wish,
            names=subject.names,
            originals=self._originals_of(source, wish),
            augmented=pictures(images, target * wish.has_outline, lines),
            drawn=replace(drawn, slice_index=None),
            before_ml=_volume_ml(source.target, source) if has_patch else None,
            after_ml=after_ml,
            aspect=subject.spacing_mm[1] / subject.spacing_mm[2],
        )

    def sheet(self, subject: Subject, wish: Wish) -> Sheet:
        """Make the draws from the wished one on, each at a slice that surely shows its necrosis."""
        from napari_necroseg.core.augment.draw import Cut, draw_batch
        from napari_necroseg.core.augment.sample import sample_batch

        source, n = self._loaded(subject), wish.n_draws
        generators = [np.random.default_rng([wish.seed, wish.number + step]) for step in range(n)]
        cut = Cut(patch_shape=PATCH_SHAPE, is_2d=True, slice_share=1.0)
        draws = draw_batch(wish.config, [source] * n, generators, cut=cut)
        if not source.target.any():
            draws = [replace(drawn, slice_index=wish.slice_index) for drawn in draws]
        made = sample_batch([source] * n, draws, patch_shape=PATCH_SHAPE)
        images, targets = made.images.numpy(), made.target.numpy() * wish.has_outline
        tiles = [pictures(image[:1], target, None)[0] for image, target in zip(images, targets, strict=True)]
        return Sheet(wish=wish, tiles=tuple(tiles), aspect=subject.spacing_mm[1] / subject.spacing_mm[2])

    def drawn(self, subject: Subject, wish: Wish) -> "Drawn":
        """Return the draw that is wished for: of a training's random numbers, or of given values."""
        from napari_necroseg.core.augment.draw import Cut, draw

        source = self._loaded(subject)
        if wish.values is not None:
            assert self._plain is not None
            return replace(self._plain, **values_of(wish.values, len(subject.images)))
        generator = np.random.default_rng([wish.seed, wish.number])
        return draw(wish.config, source, generator, cut=Cut(patch_shape=PATCH_SHAPE, is_2d=False))

    def _loaded(self, subject: Subject) -> "Source":
        """Bring the images to the network's slices, as a training does, once."""
        from napari_necroseg.core.augment.source import make_source
        from napari_necroseg.core.grids.slices import mask_to_slices, to_slices

        if self._source is None or subject is not self._subject:
            n = PATCH_SHAPE[0]
            step = (len(subject.images[0]) - 1) / (n - 1) or 1.0
            self._source = make_source(
                np.stack([to_slices(image, n) for image in subject.images]),
                None if subject.mask is None else mask_to_slices(subject.mask, n),
                spacing_mm=(subject.spacing_mm[0] * step, *subject.spacing_mm[1:]),
            )
            self._subject, self._plain = subject, plain_draw(self._source)
            self._originals = (None, ())
        return self._source

    def _originals_of(self, source: "Source", wish: Wish) -> tuple[Pixels, ...]:
        from napari_necroseg.core.augment.sample import sample

        key = (wish.slice_index, wish.has_outline)
        if self._originals[0] != key:
            assert self._plain is not None
            plain = replace(self._plain, slice_index=wish.slice_index)
            made = sample(source, plain, patch_shape=PATCH_SHAPE)
            self._originals = (
                key,
                pictures(made.images.numpy(), made.target.numpy() * wish.has_outline, None),
            )
        return self._originals[1]


def plain_draw(source: "Source") -> "Drawn":
    """Return the patch at the necrosis with nothing done to it."""
    from napari_necroseg.core.augment.draw import Cut, draw

    cut = Cut(patch_shape=PATCH_SHAPE, is_2d=False)
    return draw(only(), source, np.random.default_rng(0), cut=cut)


def values_of(values: dict[str, object], n_sequences: int) -> dict[str, Any]:
    """Turn one value a field into the fields of a draw: blur and gamma are the same for all sequences."""
    several = {"blur_sigma_voxels", "gamma"}
    return {name: (value,) * n_sequences if name in several else value for name, value in values.items()}


def _volume_ml(mask: NDArray[np.uint8], source: "Source") -> float:
    return float(np.count_nonzero(mask) * np.prod(source.spacing_mm) / 1000)
