"""Makes the pictures of the augmentation preview, and puts the draw into words.

Axes: C sequences, Z slices, Y rows, X columns.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.config import TrainConfig, only
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.plan import patch_shape_of
from napari_necroseg.core.tissue import blank_in_words

if TYPE_CHECKING:
    from napari_necroseg.core.augment.draw import Sampling
    from napari_necroseg.core.augment.mapping import Drawn
    from napari_necroseg.core.augment.sample import Sample
    from napari_necroseg.core.augment.source import Source


Pixels = NDArray[np.uint8]

# Of the palette of Okabe and Ito, which colour-blind people can tell apart and from grey.
OUTLINE, GRID = (230, 159, 0), (86, 180, 233)
_GRID_VOXELS = 16


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The images that are augmented, as they are in the viewer."""

    names: tuple[str, ...]  # Names of the sequences
    images: tuple[NDArray[np.generic], ...]  # ``(N, Y, X)`` each, in working order
    mask: NDArray[np.generic] | None  # ``(N, Y, X)``, or None
    spacing_mm: tuple[float, float, float]  # Spacing of slices, rows and columns


@dataclass(frozen=True, kw_only=True)
class PreviewRequest:
    """A request to the preview: which draw of which training to show, and how."""

    # The training whose samples are shown, by its patch, whitening, share at the target, ranges and seed.
    training: TrainConfig
    number: int  # The number of the draw
    n_draws: int  # The number of draws on a contact sheet, from this one on; 0 for one draw alone
    values: dict[str, object] | None  # Fields of the draw that the person sets; None to draw all
    slice_index: int  # The slice of the patch
    # Which lines are drawn over the images.
    has_outline: bool
    has_grid: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A draw, ready to be painted."""

    request: PreviewRequest  # The request that it answers
    names: tuple[str, ...]  # Names of the sequences
    # ``(Y, X, 3)`` for each sequence.
    originals: tuple[Pixels, ...]
    augmented: tuple[Pixels, ...]
    drawn: "Drawn"  # The values of the draw
    # Volume of the necrosis in the case and in the whole patch; None while only a slice was made.
    before_ml: float | None
    after_ml: float | None
    aspect: float  # Height of a pixel over its width


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """A contact sheet: the first sequence of many draws, in rows of equal length."""

    request: PreviewRequest
    tiles: tuple[Pixels, ...]
    aspect: float


class CasePreview:
    """Keeps a case in memory, and shows draws of it."""

    def __init__(self) -> None:
        # One attribute, since the window and the thread of the preview both read it.
        self._ready: tuple[Subject, object, Source] | None = None
        # The original stays the same while a slider is moved: its key, and its pictures.
        self._originals: tuple[object, tuple[Pixels, ...]] = (None, ())

    def ready(self, subject: Subject, training: TrainConfig) -> "Source | None":
        """Return the case as the training sees it, if it is in memory: a slice takes milliseconds then."""
        ready = self._ready
        is_same = ready is not None and ready[0] is subject and ready[1] == _preparation(training)
        return ready[2] if ready is not None and is_same else None

    def view(
        self, subject: Subject, request: PreviewRequest, *, has_patch: bool, source: "Source | None" = None
    ) -> View:
        """Make the requested slice and, if asked, the whole patch; `source` is what `ready` returned."""
        from napari_necroseg.core.augment.sample import make_sample

        source = source or self._loaded(subject, request.training)
        patch_shape = patch_shape_of(request.training)
        drawn = _drawn(source, request)
        one, after_ml = make_sample(source, drawn, patch_shape=patch_shape), None
        if has_patch:
            patch = make_sample(source, replace(drawn, slice_index=None), patch_shape=patch_shape)
            after_ml = _volume_ml(patch.target.numpy(), source)
            # While a slider is moved, a slice whitened as in 2D stands for the patch, which takes longer.
            one = _slice_of(patch, request.slice_index) if request.training.dimension == "3d" else one
        lines = grid_lines(source, drawn, patch_shape=patch_shape) if request.has_grid else None
        return View(
            request=request,
            names=subject.names,
            originals=self._originals_of(source, request, centre_voxels=drawn.centre_voxels),
            augmented=pictures(one, source, has_outline=request.has_outline, lines=lines),
            drawn=replace(drawn, slice_index=None),
            before_ml=_volume_ml(source.target, source) if has_patch else None,
            after_ml=after_ml,
            aspect=subject.spacing_mm[1] / subject.spacing_mm[2],
        )

    def sheet(self, subject: Subject, request: PreviewRequest) -> Sheet:
        """Make the requested draws; those at the necrosis are shown at a slice of it."""
        from napari_necroseg.core.augment.draw import draw_batch, generator_of

        source, n, training = self._loaded(subject, request.training), request.n_draws, request.training
        draws = draw_batch(
            [source] * n,
            replace(_sampling(training), is_2d=True, slice_share=1.0),
            generators=[generator_of(training.seed, request.number + step) for step in range(n)],
        )
        if not source.target.any():
            draws = [replace(drawn, slice_index=request.slice_index) for drawn in draws]
        tiles: list[Pixels] = []
        for drawn in draws:
            one = _slice_sample(source, drawn, training=training)
            tiles += pictures(replace(one, images=one.images[:1]), source, has_outline=request.has_outline)
        return Sheet(
            request=request, tiles=tuple(tiles), aspect=subject.spacing_mm[1] / subject.spacing_mm[2]
        )

    def _loaded(self, subject: Subject, training: TrainConfig) -> "Source":
        """Resample the images to the network's slices, as a training does; the result is kept."""
        from napari_necroseg.core.augment.source import make_source
        from napari_necroseg.core.grids.slices import mask_to_slices
        from napari_necroseg.core.network.images import for_network

        source = self.ready(subject, training)
        if source is None:
            for name, image in zip(subject.names, subject.images, strict=True):
                if words := blank_in_words(image):
                    raise CohortError(f"The layer {name} has {words}, so it shows nothing: choose another.")
            n = training.slices
            step = (len(subject.images[0]) - 1) / (n - 1) or 1.0
            source = make_source(
                for_network(subject.images, training.whitening, n_slices=n),
                None if subject.mask is None else mask_to_slices(subject.mask, n),
                spacing_mm=(subject.spacing_mm[0] * step, *subject.spacing_mm[1:]),
                is_white=training.whitens_images,
            )
            self._ready = (subject, _preparation(training), source)
        return source

    def _originals_of(
        self, source: "Source", request: PreviewRequest, *, centre_voxels: tuple[float, float, float]
    ) -> tuple[Pixels, ...]:
        """Return the patch at the same place without any augmentation."""
        from napari_necroseg.core.augment.sample import make_sample

        shape = patch_shape_of(request.training)
        key = (source, shape, centre_voxels, request.slice_index, request.has_outline)
        of_what, originals = self._originals
        if of_what != key:
            plain = plain_draw(source, request.training)
            plain = replace(plain, centre_voxels=centre_voxels, slice_index=request.slice_index)
            made = make_sample(source, plain, patch_shape=shape)
            originals = pictures(made, source, has_outline=request.has_outline)
            self._originals = (key, originals)
        return originals


def _drawn(source: "Source", request: PreviewRequest) -> "Drawn":
    """Return the requested draw, by a training's random numbers or by values, at the slice that is shown."""
    from napari_necroseg.core.augment.draw import draw_sample, generator_of

    training = request.training
    if request.values is not None:
        values = values_of(request.values, source.n_sequences) | {"slice_index": request.slice_index}
        return replace(plain_draw(source, training), **values)
    generator = generator_of(training.seed, request.number)
    return replace(
        draw_sample(source, _sampling(training), generator=generator), slice_index=request.slice_index
    )


def plain_draw(source: "Source", training: TrainConfig) -> "Drawn":
    """Return the draw of the patch at the necrosis without any augmentation."""
    from napari_necroseg.core.augment.draw import Sampling, draw_sample

    plain = Sampling(patch_shape=patch_shape_of(training), is_2d=False, augment=only())
    return draw_sample(source, plain, generator=np.random.default_rng(0))


def _sampling(training: TrainConfig) -> "Sampling":
    from napari_necroseg.core.augment.draw import sampling_of

    return sampling_of(training, patch_shape_of(training))


def values_of(values: dict[str, object], n_sequences: int) -> dict[str, Any]:
    """Turn one value per field into the fields of a draw: blur and gamma are the same for all sequences."""
    several = {"blur_sigma_voxels", "gamma"}
    return {name: (value,) * n_sequences if name in several else value for name, value in values.items()}


def _preparation(training: TrainConfig) -> tuple[object, ...]:
    """Return the settings that decide how a case is prepared."""
    return (training.slices, training.whitening)


def _slice_sample(source: "Source", drawn: "Drawn", *, training: TrainConfig) -> "Sample":
    """Make the slice of a draw as the network sees it: in 3D as part of the patch."""
    from napari_necroseg.core.augment.sample import make_sample

    shape = patch_shape_of(training)
    if training.dimension == "2d" or drawn.slice_index is None:
        return make_sample(source, drawn, patch_shape=shape)
    patch = make_sample(source, replace(drawn, slice_index=None), patch_shape=shape)
    return _slice_of(patch, drawn.slice_index)


def _slice_of(patch: "Sample", index: int) -> "Sample":
    return replace(patch, images=patch.images[:, index], target=patch.target[index])


def _volume_ml(mask: NDArray[np.uint8], source: "Source") -> float:
    return float(np.count_nonzero(mask) * np.prod(source.spacing_mm) / 1000)


def pictures(
    made: "Sample", source: "Source", *, has_outline: bool, lines: NDArray[np.bool_] | None = None
) -> tuple[Pixels, ...]:
    """Turn whitened images ``(C, Y, X)`` into pixels; where images were whitened as a whole, air is black."""
    from napari_necroseg.core.augment.contact_sheet import BLACK, to_pixels

    black = BLACK if source.air is None else source.air[: len(made.images), None, None]
    pixels = to_pixels(
        made.images.numpy(),
        made.target.numpy() * has_outline,
        colour=OUTLINE,
        black=black,
        lines=None if lines is None else (lines, GRID),
    )
    return tuple(pixels)


def grid_lines(source: "Source", drawn: "Drawn", *, patch_shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return where every 16th row and column of the source comes to lie, ``(enlarged Y, enlarged X)``."""
    from napari_necroseg.core.augment.contact_sheet import ENLARGED
    from napari_necroseg.core.augment.mapping import map_draws

    mapped = map_draws([drawn], [source.spacing_mm], patch_shape=patch_shape)
    rows, columns = (np.arange(size * ENLARGED, step=2 * ENLARGED) / ENLARGED for size in patch_shape[1:])
    y, x = np.meshgrid(rows, columns, indexing="ij")
    index = np.stack([np.full(y.size, float(drawn.slice_index or 0)), y.ravel(), x.ravel()], axis=1)
    places = mapped.to_source(index)[0, :, 1:].reshape(*y.shape, 2)
    cells = np.floor(_stretched(places, 2 * ENLARGED) / _GRID_VOXELS)
    lines = np.zeros(cells.shape[:2], bool)
    lines[1:] |= (cells[1:] != cells[:-1]).any(axis=-1)
    lines[:, 1:] |= (cells[:, 1:] != cells[:, :-1]).any(axis=-1)
    return lines


def _stretched(places: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Interpolate ``(Y, X, 2)`` linearly to `factor` times as many rows and columns."""
    for axis in (0, 1):
        size = places.shape[axis]
        wanted = np.arange(size * factor) / factor
        below = np.minimum(wanted.astype(int), size - 2)
        beyond = (wanted - below).reshape([-1 if axis == i else 1 for i in range(3)])
        low, high = places.take(below, axis), places.take(below + 1, axis)
        places = low + beyond * (high - low)
    return places


def in_words(view: View) -> str:
    """Say the values of a draw; what it leaves as it is is not named."""
    drawn = view.drawn
    down, right = drawn.shift_voxels
    axes = [
        name
        for name, is_flipped in zip(("left-right", "head-foot", "front-back"), drawn.is_mirrored, strict=True)
        if is_flipped
    ]
    parts = {
        f"factor {drawn.scale:.2f}": drawn.scale != 1,
        f"turned {drawn.rotation_transversal_deg:.1f}° in the slice": drawn.rotation_transversal_deg != 0,
        f"{drawn.rotation_sagittal_deg:.1f}° sideways": drawn.rotation_sagittal_deg != 0,
        f"moved {_towards(down, 'down', back='up')} and {_towards(right, 'right', back='left')} voxels": (
            any(drawn.shift_voxels)
        ),
        f"mirrored {' and '.join(axes)}": bool(axes),
        f"gamma {_list(drawn.gamma, '.2f')}": any(one != 1 for one in drawn.gamma),
        f"blur {_list(drawn.blur_sigma_voxels, '.2f')} voxels": any(drawn.blur_sigma_voxels),
        f"bent by {max(drawn.elastic_voxels):.1f} voxels": drawn.is_elastic,
        f"contrast {_list(drawn.contrast, '.2f')}, brightness {_list(drawn.brightness, '+.2f')}": bool(
            drawn.contrast
        ),
    }
    said = "; ".join(words for words, is_on in parts.items() if is_on)
    return f"{said or 'As it is: nothing is varied'}."


def sheet_in_words(sheet: Sheet) -> str:
    """Say which draws are shown."""
    first, last = sheet.request.number, sheet.request.number + len(sheet.tiles) - 1
    return f"Draws {first} to {last}, those at the necrosis on a slice of it. Click one to see it alone."


def necrosis_in_words(view: View) -> str:
    """Say what became of the necrosis."""
    assert view.before_ml is not None
    assert view.after_ml is not None
    if view.before_ml == 0:
        return "Necrosis: none is outlined in this case."
    if view.after_ml == 0:
        return f"Necrosis: {view.before_ml:.2f} mL in the case; none of it in this patch."
    share = view.after_ml / view.before_ml
    return (
        f"Necrosis: {view.before_ml:.2f} mL in the case, {view.after_ml:.2f} mL in the patch ({share:.0%})."
    )


def _towards(voxels: int, there: str, *, back: str) -> str:
    return f"{abs(voxels)} {there if voxels >= 0 else back}"


def _list(values: tuple[float, ...], how: str) -> str:
    # A minus sign, where a line would be broken after a hyphen.
    return " and ".join(format(value, how).replace("-", "\N{MINUS SIGN}") for value in values)
