"""Maps the voxels of a patch to its case: the values of a draw, their formula, and a tensor for grids.

For a patch index o, with p = o - (patch - 1) / 2 - shift measured from the middle of the unshifted patch::

    source index = centre + A (p + u(o))        A = F 1/k D^-1 R^T D

F mirrors, k is the scaling factor, D takes voxels to millimetres, R is the rotation in millimetres, u the
elastic displacement, a cubic B-spline of the control points. Axes are always Z, Y, X; B counts the draws of
a mini-batch, which are mapped together. A lattice is a range of patch indices along each axis: a whole patch,
one slice of it, every fourth voxel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_necroseg.core.augment.intensity import STATISTICS_STEP, block_middles
from napari_necroseg.core.augment.source import Shape

Array = NDArray[np.float64]
Lattice = tuple[range, range, range]

# For planes, rows and columns, as `place_terms` gives them.
Terms = NDArray[np.float32]
PlaceTerms = tuple[Terms, Terms, Terms]

# Standard deviation along Z, Y, X in voxels, control points, sigma in cells, seed.
_Bend = tuple[tuple[float, float, float], int, float, int]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """All that is random about one sample; the defaults are a plain crop.

    The transforms act in this order, as in the paper: blur and gamma on the intensities; mirroring, scaling
    and rotation about `centre_voxels`; the elastic displacement; the shift; the crop. Contrast and brightness
    come last, on the whitened sample.

    Parameters
    ----------
    centre_voxels
        Slice, row and column of the source that come to lie in the middle of the patch, before the shift.
        Between two voxels for a patch with an even number of them.
    shift_voxels
        How many rows down and columns to the right the image is moved in the patch.
    is_mirrored
        Whether the image is flipped along Z, Y, X.
    scale
        Factor by which everything grows, the same along all axes of the array.
    rotation_transversal_deg
        Turn about the transversal (left-right) axis, in the plane of the slices and in millimetres;
        positive is counter-clockwise on the screen.
    rotation_sagittal_deg
        Turn about the sagittal (anterior-posterior) axis, in millimetres: it tilts the slices; positive
        moves what is below the middle towards lower slice numbers.
    elastic_voxels
        Standard deviation of the control points' displacement along Z, Y, X.
    elastic_points
        Control points along each axis of the patch, its borders included.
    elastic_sigma_cells
        Sigma of the Gaussian that smooths the displacements, in distances between control points.
    elastic_seed
        Key of numpy's Philox generator, whose standard normal numbers are the displacements.
    blur_sigma_voxels
        Sigma of the Gaussian blur of each sequence, in the plane of the slices.
    gamma
        Exponent of each sequence.
    contrast, brightness
        Factor of the whitened intensities of each sequence, and the number added then; empty where
        neither is varied.
    slice_index
        The slice of the patch that is a 2D sample; None for the whole patch.
    """

    centre_voxels: tuple[float, float, float]
    shift_voxels: tuple[int, int] = (0, 0)
    is_mirrored: tuple[bool, bool, bool] = (False, False, False)
    scale: float = 1.0
    rotation_transversal_deg: float = 0.0
    rotation_sagittal_deg: float = 0.0
    elastic_voxels: tuple[float, float, float] = (0.0, 0.0, 0.0)
    elastic_points: int = 3
    elastic_sigma_cells: float = 0.0
    elastic_seed: int = 0
    blur_sigma_voxels: tuple[float, ...]
    gamma: tuple[float, ...]
    contrast: tuple[float, ...] = ()
    brightness: tuple[float, ...] = ()
    slice_index: int | None = None

    @property
    def is_elastic(self) -> bool:
        """Whether anything is displaced."""
        return any(amplitude > 0 for amplitude in self.elastic_voxels)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapping:
    """The maps of B draws from their patches to their sources."""

    centre: Array  # ``(B, 3)``; source index of the middle of the unshifted patch
    linear: Array  # ``(B, 3, 3)``; A above
    middle: Array  # ``(B, 3)``; patch index of the middle, shifted
    # ``(B, n + 2, n + 2, n + 2, 3)``; smoothed displacements of the control points in voxels, the last axis
    # being the direction. None without any elastic displacement.
    control: Array | None
    patch_shape: Shape

    @property
    def points(self) -> int:
        """Control points along each axis; 1 where none are needed."""
        return 1 if self.control is None else self.control.shape[1] - 2

    def only(self, chosen: ArrayLike) -> "Mapping":
        """Return the maps of some of the draws."""
        rows = np.asarray(chosen)
        return Mapping(
            centre=self.centre[rows],
            linear=self.linear[rows],
            middle=self.middle[rows],
            control=None if self.control is None else self.control[rows],
            patch_shape=self.patch_shape,
        )

    def to_source(self, patch_index: ArrayLike) -> Array:
        """Source index ``(B, n, 3)`` of patch indices ``(n, 3)`` or ``(B, n, 3)``."""
        index = np.asarray(patch_index, float)
        offset = index - self.middle[:, None] + self.displacement(index)
        return self.centre[:, None] + offset @ self.linear.swapaxes(1, 2)

    def to_patch(self, source_index: ArrayLike, *, rounds: int = 4) -> Array:
        """Patch index ``(B, n, 3)`` of source indices; iterated where there is an elastic part."""
        offset = np.asarray(source_index, float) - self.centre[:, None]
        unbent = self.middle[:, None] + offset @ np.linalg.inv(self.linear).swapaxes(1, 2)
        index = unbent
        for _ in range(rounds if self.control is not None else 0):
            index = unbent - self.displacement(index)
        return np.asarray(index)

    def displacement(self, patch_index: Array) -> Array:
        """Elastic displacement u ``(B, n, 3)``, in voxels, at patch indices ``(n, 3)`` or ``(B, n, 3)``."""
        if self.control is None:
            return np.zeros(3)
        n_draws, n = self.control.shape[:2]
        index = np.broadcast_to(patch_index, (n_draws, *patch_index.shape[-2:]))
        weights = spline_basis(index, np.array(self.patch_shape), points=self.points)
        planes = weights[:, :, 0] @ self.control.reshape(n_draws, n, -1)
        rows = np.einsum("bny,bnyq->bnq", weights[:, :, 1], planes.reshape(*index.shape[:2], n, -1))
        return np.asarray(np.einsum("bnx,bnxd->bnd", weights[:, :, 2], rows.reshape(*index.shape[:2], n, 3)))

    def tensor(self) -> Array:
        """Return the maps as ``T (B, n + 4, n + 4, n + 4, 3)``.

        The source index at a patch index is T, contracted along each axis with the row of `axis_terms` of
        that index: the spline's weights, 1, and the index itself.
        """
        linear = self.linear.swapaxes(1, 2)
        tensor = np.zeros((len(linear), *(self.points + 4,) * 3, 3))
        if self.control is not None:
            tensor[:, :-2, :-2, :-2] = self.control @ linear[:, None, None]
        tensor[:, -2, -2, -2] = self.centre - (self.middle[:, None] @ linear)[:, 0]
        for axis, place in enumerate([(-1, -2, -2), (-2, -1, -2), (-2, -2, -1)]):
            tensor[:, *place] = linear[:, axis]
        return tensor


def map_draws(
    draws: Sequence[Drawn], spacings_mm: Sequence[tuple[float, float, float]], *, patch_shape: Shape
) -> Mapping:
    """Return the maps of draws, all with as many control points, from the spacings of their sources.

    Raises `ValueError` if a draw or a spacing gives places that are not finite: compiled code would read
    memory there.
    """
    middle = (np.array(patch_shape) - 1) / 2
    centre = np.array([drawn.centre_voxels for drawn in draws])
    with np.errstate(divide="ignore", invalid="ignore"):
        linear = _linear(draws, np.array(spacings_mm))
    if not (np.isfinite(linear).all() and np.isfinite(centre).all()):
        raise ValueError("a draw needs a scale above 0, finite angles and a spacing above 0 mm")
    return Mapping(
        centre=centre,
        linear=linear,
        middle=middle + [(0, *drawn.shift_voxels) for drawn in draws],
        control=_control(tuple(map(_bend, draws))) if any(drawn.is_elastic for drawn in draws) else None,
        patch_shape=patch_shape,
    )


def lattice_of(patch_shape: Shape, slice_index: int | None = None) -> Lattice:
    """Return all voxels of a patch, or those of one of its slices."""
    z, y, x = (range(n) for n in patch_shape)
    return (z if slice_index is None else range(slice_index, slice_index + 1), y, x)


def places_in_padded(mapped: Mapping, lattices: Sequence[Lattice]) -> PlaceTerms:
    """Return the `place_terms` of lattices for `Source.padded`."""
    tensor = mapped.tensor()
    tensor[:, -2, -2, -2] += 1
    return place_terms(tensor, mapped, lattices=lattices)


def places_in_coarse(mapped: Mapping) -> PlaceTerms:
    """Return the `place_terms` of the patches' every fourth voxels for `Source.coarse`."""
    z, y, x = (
        range(axis.min(), axis.max() + 1, STATISTICS_STEP) for axis in block_middles(mapped.patch_shape)
    )
    # From voxels to blocks, counted from the border of zeros; the first block begins half a voxel before 0.
    tensor = mapped.tensor() / STATISTICS_STEP
    tensor[:, -2, -2, -2] += 0.5 / STATISTICS_STEP + 1
    return place_terms(tensor, mapped, lattices=[(z, y, x)] * len(tensor))


def place_terms(tensor: NDArray[np.float64], mapped: Mapping, *, lattices: Sequence[Lattice]) -> PlaceTerms:
    """Contract the tensors ``(B, n, n, n, 3)`` of maps for the slices of lattices.

    Returns
    -------
    planes
        ``(B, z, n, n 3)``, padded with zeros to a multiple of 8 numbers per line, which suits processors.
    rows, columns
        ``(y, n)`` and ``(n, x)``; the sum of ``rows[y, j] * columns[k, x] * planes[..., j, 3 k : 3 k + 3]``
        over j and k is the place of a voxel.
    """
    n_draws, n = tensor.shape[:2]
    terms = [axis_terms(size, mapped.points) for size in mapped.patch_shape]
    z, y, x = lattices[0]
    firsts = np.array([lattice[0].start for lattice in lattices])
    slices = terms[0][firsts[:, None] + range(0, len(z) * z.step, z.step)]
    rows, columns = terms[1][y], terms[2][x]
    planes = np.zeros((n_draws, len(z), n, -(-n * 3 // 8) * 8), np.float32)
    planes[..., : n * 3] = (slices @ tensor.reshape(n_draws, n, -1)).reshape(n_draws, -1, n, n * 3)
    return planes, np.ascontiguousarray(rows, np.float32), np.ascontiguousarray(columns.T, np.float32)


@lru_cache(maxsize=64)
def axis_terms(size: int, points: int) -> Array:
    """``(size, points + 4)``: for each index along an axis the spline's weights, 1, and the index."""
    index = np.arange(size, dtype=float)
    return np.column_stack([spline_basis(index, size, points=points), np.ones(size), index])


def spline_basis(index: Array, size: ArrayLike, *, points: int) -> Array:
    """``(..., points + 2)``; weights of the control points at indices ``(...)`` of an axis of `size` voxels.

    Cubic B-splines on `points` control points from the first voxel to the last, and one beyond each end.
    """
    cells = index / np.maximum(np.asarray(size) - 1, 1) * (points - 1)
    distance = np.abs(cells[..., None] - np.arange(-1, points + 1))
    squared = distance * distance
    near = 2 / 3 - squared + squared * distance / 2
    rest = np.maximum(2 - distance, 0)
    return np.asarray(np.where(distance < 1, near, rest * rest * rest / 6))


def _linear(draws: Sequence[Drawn], spacings_mm: Array) -> Array:
    mirror = np.where([drawn.is_mirrored for drawn in draws], -1.0, 1.0)
    turned = _rotation(
        np.array([drawn.rotation_transversal_deg for drawn in draws]),
        np.array([drawn.rotation_sagittal_deg for drawn in draws]),
    ).swapaxes(1, 2)
    # Without a rotation exactly 1 / scale, so that a plain crop stays a crop.
    in_voxels = turned * spacings_mm[:, None] / spacings_mm[:, :, None]
    scale = np.array([drawn.scale for drawn in draws])
    return np.asarray(mirror[:, :, None] * in_voxels / scale[:, None, None])


def _rotation(transversal_deg: Array, sagittal_deg: Array) -> Array:
    """``(B, 3, 3)``; turn about the transversal axis (Z) first, then about the sagittal one (X)."""
    one, zero = np.ones(len(transversal_deg)), np.zeros(len(transversal_deg))
    c, s = np.cos(np.radians(transversal_deg)), np.sin(np.radians(transversal_deg))
    about_z = np.array([[one, zero, zero], [zero, c, -s], [zero, s, c]])
    c, s = np.cos(np.radians(sagittal_deg)), np.sin(np.radians(sagittal_deg))
    about_x = np.array([[c, -s, zero], [s, c, zero], [zero, zero, one]])
    return np.asarray(about_x.transpose(2, 0, 1) @ about_z.transpose(2, 0, 1))


def _bend(drawn: Drawn) -> _Bend:
    return drawn.elastic_voxels, drawn.elastic_points, drawn.elastic_sigma_cells, drawn.elastic_seed


# A draw is mapped when it is drawn, to see whether it shows the target, and again when its sample is made,
# perhaps with another shift or slice.
@lru_cache(maxsize=8)
def _control(bends: tuple[_Bend, ...]) -> Array:
    """Return `Mapping.control`; not to be written to."""
    voxels, points, sigma, seeds = zip(*bends, strict=True)
    is_elastic = np.any(np.array(voxels) > 0, axis=1)
    (n,) = {number + 2 for number, bent in zip(points, is_elastic, strict=True) if bent}
    control = _normal_numbers(seeds, n) * np.array(voxels)[:, None, None, None]
    control[~is_elastic] = 0
    smooth = _gaussian_matrix(n, np.array(sigma))
    for axis in (1, 2, 3):
        moved = np.moveaxis(control, axis, 1)
        product = smooth @ moved.reshape(len(control), n, -1)
        control = np.moveaxis(product.reshape(moved.shape), 1, axis)
    control.flags.writeable = False
    return np.asarray(control)


def _normal_numbers(seeds: Sequence[int], n: int) -> Array:
    """``(B, n, n, n, 3)``: for each seed those of numpy's Philox generator with it as its key."""
    # A new key for one generator takes a third of the time of a new generator.
    philox = np.random.Philox(key=0)
    generator, state = np.random.Generator(philox), philox.state
    numbers = np.empty((len(seeds), n, n, n, 3))
    for seed, of_draw in zip(seeds, numbers, strict=True):
        state["state"]["key"][0] = seed
        philox.state = state
        generator.standard_normal(out=of_draw)
    return numbers


def _gaussian_matrix(n: int, sigma: Array) -> Array:
    """``(B, n, n)``; smooths n values, by the weights that lie inside."""
    # A sigma of 0, too, then leaves everything where it is, without dividing by it.
    spread = np.maximum(sigma, 1e-3)[:, None, None]
    weights = np.exp(-((np.arange(n)[:, None] - np.arange(n)) ** 2) / (2 * spread**2))
    return np.asarray(weights / weights.sum(axis=2, keepdims=True))
