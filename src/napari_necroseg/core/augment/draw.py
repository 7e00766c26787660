"""Draws samples: all randomness of the augmentation, and the guarantee that a patch shows its target."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.augment.mapping import Drawn, Mapping, map_draws
from napari_necroseg.core.augment.source import Shape, Source
from napari_necroseg.core.config import AugmentConfig, Range, TrainConfig

# How often the translation is drawn again before the patch is centred on the target.
MOST_SHIFTS = 20

# Where it only matters that the target is shown, a look at so few of its slices is nearly always enough.
_FEW_WITNESSES = 4
Array = NDArray[np.float64]

# Above the threshold of one half by more than the rounding of float32 coordinates.
_SURELY_INSIDE = 0.5 + 1e-3

# Pads the list of a source with few slices of target; outside of any patch, whatever is drawn.
_NOWHERE = -1e6


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the samples of a training are drawn from its cases; `sampling_of` takes it from the choices."""

    patch_shape: Shape  # Voxels of the patch, all its slices included, in 2D, too
    is_2d: bool  # A sample is one slice of the patch
    augment: AugmentConfig
    # Share of the patches that stand at the target (without one: in the middle of the image) and surely show
    # some of it; the others lie anywhere in the image.
    target_share: float = 1.0
    # Share of the 2D samples from patches at the target whose slice surely shows it; the other slices are
    # drawn from all of the patch, as in the paper.
    slice_share: float = 0.0
    # Standard deviation of the brightness and of the logarithm of the contrast of whitened images. They stand
    # for what whitening by whole images cannot know: other scanners, and how much of an image is ill.
    intensity_spread: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class _Chances:
    """The random numbers behind B draws: every draw takes the same number of them, in the same order.

    So changing one range, or switching a transform off, changes nothing else of the draw. All lie from 0 to 1
    but `contrast`, which holds standard normal numbers ``(B, 2, C)``.
    """

    blur: Array
    gamma: Array
    mirror: Array
    scale: Array
    transversal: Array
    sagittal: Array
    sigma: Array
    target: Array
    slice: Array
    pick: Array
    shifts: Array
    elastic_seeds: list[int]
    contrast: Array


def sampling_of(config: TrainConfig, patch_shape: Shape) -> Sampling:
    """Return how a training draws its samples."""
    return Sampling(
        patch_shape=patch_shape,
        is_2d=config.dimension == "2d",
        augment=config.augment,
        target_share=config.target_share,
        slice_share=config.slice_share,
        intensity_spread=config.intensity_spread,
    )


def generator_of(seed: int, number: int) -> np.random.Generator:
    """Return the random generator of one sample of a training, which depends on no sample before it."""
    return np.random.default_rng([seed, number])


def draw_sample(source: Source, sampling: Sampling, *, generator: np.random.Generator) -> Drawn:
    """Draw one sample of a case.

    Where the translation leaves nothing of the target in the patch, it is drawn again; after `MOST_SHIFTS`
    draws the patch is centred on a voxel of the target.
    """
    return draw_batch([source], sampling, generators=[generator])[0]


def draw_batch(
    sources: Sequence[Source], sampling: Sampling, *, generators: Sequence[np.random.Generator]
) -> list[Drawn]:
    """Draw a sample of each source, each by its own generator: as `draw_sample` one by one, but faster."""
    chances = _chances(sources[0].n_sequences, generators)
    is_at_target = chances.target < sampling.target_share
    most_shift = sampling.augment.shift_voxels if sampling.augment.translation else 0
    shifts = np.floor(chances.shifts * (2 * most_shift + 1)).astype(int) - most_shift
    values: dict[str, list[Any]] = _varied(sampling, chances) | {
        "centre_voxels": _tuples(
            _centres(sources, chances, is_at_target=is_at_target, patch_shape=sampling.patch_shape)
        ),
        "shift_voxels": _tuples(np.where(is_at_target[:, None], shifts[:, 0], 0)),
    }
    if sampling.is_2d:
        values["slice_index"] = (chances.pick * sampling.patch_shape[0]).astype(int).tolist()
    draws = [
        Drawn(**dict(zip(values, of_draw, strict=True))) for of_draw in zip(*values.values(), strict=True)
    ]
    return _with_target_guaranteed(draws, sources, chances=chances, shifts=shifts, sampling=sampling)


def _centres(
    sources: Sequence[Source], chances: _Chances, *, is_at_target: NDArray[np.bool_], patch_shape: Shape
) -> Array:
    """Middles ``(B, 3)`` of patches at the target or anywhere in the image; in its middle if it is small."""
    sizes, patch = np.array([source.shape for source in sources]), np.array(patch_shape)
    middle = np.rint([source.target_centre for source in sources])
    at_target = np.column_stack([sizes[:, 0] // 2, middle]) - patch // 2
    rooms = sizes - patch
    anywhere = np.where(rooms[:, 1:] > 0, chances.shifts[:, 0] * (rooms[:, 1:] + 1), rooms[:, 1:] // 2)
    corners = np.column_stack([rooms[:, 0] // 2, np.floor(anywhere)])
    return np.where(is_at_target[:, None], at_target, corners) + (patch - 1) / 2


def _varied(sampling: Sampling, chances: _Chances) -> dict[str, list[Any]]:
    """Return the B values of each field of `Drawn` that does not depend on where the patch stands."""
    config = sampling.augment
    n_draws, in_plane = len(chances.scale), config.elastic_in_plane_voxels
    blur, gamma = np.zeros_like(chances.blur), np.ones_like(chances.gamma)
    if config.blur:
        blur = _between(config.blur_sigma_voxels, chances.blur)
    if config.gamma:
        low, high = config.gamma_range
        gamma = low * (high / low) ** chances.gamma
    values: dict[str, list[Any]] = {
        "is_mirrored": _tuples((chances.mirror < config.mirror_probability) & config.mirror),
        "blur_sigma_voxels": _tuples(blur),
        "gamma": _tuples(gamma),
    }
    if config.scaling:
        values["scale"] = _between(config.scale_range, chances.scale).tolist()
    if config.rotation:
        about = _between(config.rotation_transversal_deg, chances.transversal)
        values["rotation_transversal_deg"] = about.tolist()
        values["rotation_sagittal_deg"] = _between(config.rotation_sagittal_deg, chances.sagittal).tolist()
    if config.elastic:
        values["elastic_voxels"] = [(config.elastic_through_plane_voxels, in_plane, in_plane)] * n_draws
        values["elastic_points"] = [config.elastic_points] * n_draws
        values["elastic_sigma_cells"] = _between(config.elastic_sigma_cells, chances.sigma).tolist()
        values["elastic_seed"] = chances.elastic_seeds
    if sampling.intensity_spread:
        spread = sampling.intensity_spread * chances.contrast
        # As float32, in which they act.
        values["contrast"] = _tuples(np.exp(spread[:, 0]).astype(np.float32))
        values["brightness"] = _tuples(spread[:, 1].astype(np.float32))
    return values


def _with_target_guaranteed(
    draws: list[Drawn],
    sources: Sequence[Source],
    *,
    chances: _Chances,
    shifts: NDArray[np.int64],
    sampling: Sampling,
) -> list[Drawn]:
    """Replace the shifts and slices of draws that should show the target and do not."""
    shows_target = (chances.slice < sampling.slice_share) & sampling.is_2d

    def unseen(numbers: list[int], *, most: int | None = None) -> list[int]:
        views = _views(draws, sources, numbers=numbers, patch_shape=sampling.patch_shape, most=most)
        for number in [number for number, view in views.items() if len(view) and shows_target[number]]:
            seen = views[number][int(chances.pick[number] * len(views[number])), 0]
            draws[number] = replace(draws[number], slice_index=int(seen))
        return [number for number, view in views.items() if not len(view)]

    at_target = np.nonzero(chances.target < sampling.target_share)[0].tolist()
    left = [number for number in at_target if len(sources[number].witnesses)]
    left = unseen(left, most=None if shows_target.any() else _FEW_WITNESSES)
    # Draws that show none of these few slices may show others.
    left = unseen(left)
    for attempt in range(1, MOST_SHIFTS):
        for number in left:
            down, right = shifts[number, attempt].tolist()
            draws[number] = replace(draws[number], shift_voxels=(down, right))
        left = unseen(left)
    for number in left:
        draws[number] = centred_on_witness(
            sources[number], draws[number], patch_shape=sampling.patch_shape, pick=chances.pick[number]
        )
    unseen(left)
    return draws


def _views(
    draws: list[Drawn], sources: Sequence[Source], *, numbers: list[int], patch_shape: Shape, most: int | None
) -> dict[int, NDArray[np.int64]]:
    """Return the `voxels_shown` of some of the draws."""
    if not numbers:
        return {}
    looked_at = [sources[number] for number in numbers]
    mapped = map_draws(
        [draws[number] for number in numbers],
        [source.spacing_mm for source in looked_at],
        patch_shape=patch_shape,
    )
    return dict(zip(numbers, voxels_shown(looked_at, mapped, most=most), strict=True))


def _chances(n_sequences: int, generators: Sequence[np.random.Generator]) -> _Chances:
    n_intensity = 2 * n_sequences
    numbers = np.array([generator.random(n_intensity + 10 + 2 * MOST_SHIFTS) for generator in generators])
    intensity, others, shifts = np.split(numbers, [n_intensity, n_intensity + 10], axis=1)
    scale, transversal, sagittal, sigma, target, of_slice, pick = others[:, 3:].T
    return _Chances(
        blur=intensity[:, :n_sequences],
        gamma=intensity[:, n_sequences:],
        mirror=others[:, :3],
        scale=scale,
        transversal=transversal,
        sagittal=sagittal,
        sigma=sigma,
        target=target,
        slice=of_slice,
        pick=pick,
        shifts=shifts.reshape(len(numbers), MOST_SHIFTS, 2),
        elastic_seeds=[int(generator.integers(2**31)) for generator in generators],
        contrast=np.array([generator.standard_normal((2, n_sequences)) for generator in generators]),
    )


def _between(bounds: Range, numbers: Array) -> Array:
    low, high = bounds
    return low + (high - low) * numbers


def _tuples(rows: NDArray[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows.tolist()]


def voxels_shown(
    sources: Sequence[Source], mapped: Mapping, *, most: int | None = None
) -> list[NDArray[np.int64]]:
    """Return for each draw patch indices ``(n, 3)`` that are surely target in the sample, perhaps not all.

    Only the deepest voxel of each slice of the target is followed (of no more than `most` slices, if given),
    so that nothing has to be resampled.
    """
    spread = {source: _evenly_spread(source.witnesses, most) for source in dict.fromkeys(sources)}
    followed = [spread[source] for source in sources]
    witnesses = np.full((len(sources), max(map(len, followed)), 3), _NOWHERE)
    for number, voxels in enumerate(followed):
        witnesses[number, : len(voxels)] = voxels
    # Two rounds miss by a voxel at most, and the target is looked up at that voxel below. One round is enough
    # where a few of the slices are.
    nearest = np.rint(mapped.to_patch(witnesses, rounds=2 if most is None else 1))
    is_inside = np.asarray(((nearest >= 0) & (nearest < mapped.patch_shape)).all(axis=2))
    comes_from = mapped.to_source(np.where(is_inside[..., None], nearest, 0))
    is_shown = is_inside & (_occupancy(sources, comes_from) >= _SURELY_INSIDE)
    nearest = np.where(is_inside[..., None], nearest, 0).astype(np.int64)
    return [patch_index[seen] for patch_index, seen in zip(nearest, is_shown, strict=True)]


def _evenly_spread(witnesses: NDArray[np.int64], most: int | None) -> NDArray[np.int64]:
    """Return at most `most` of the witnesses."""
    if most is None or len(witnesses) <= most:
        return witnesses
    chosen: NDArray[np.int64] = witnesses[((np.arange(most) + 0.5) * len(witnesses) / most).astype(int)]
    return chosen


def centred_on_witness(source: Source, drawn: Drawn, *, patch_shape: Shape, pick: float) -> Drawn:
    """Return the draw, unshifted, with a witness exactly on the middle voxel of the patch.

    `pick` says which witness of the source it is, from 0 for the first to below 1 for the last.
    """
    witness = source.witnesses[int(pick * len(source.witnesses))]
    unshifted = replace(drawn, shift_voxels=(0, 0))
    middle = np.array(patch_shape)[None] // 2
    lands_at = map_draws([unshifted], [source.spacing_mm], patch_shape=patch_shape).to_source(middle)[0, 0]
    z, y, x = (np.array(drawn.centre_voxels) + witness - lands_at).tolist()
    return replace(unshifted, centre_voxels=(z, y, x))


def _occupancy(sources: Sequence[Source], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The targets ``(B, n)``, interpolated linearly at indices ``(B, n, 3)``; 0 beyond the border."""
    from scipy.ndimage import map_coordinates

    found = np.empty(places.shape[:2])
    for source in dict.fromkeys(sources):
        own = [number for number, other in enumerate(sources) if other is source]
        at = places[own].reshape(-1, 3).T
        found[own] = map_coordinates(source.target, at, float, order=1, mode="constant").reshape(len(own), -1)
    return found
