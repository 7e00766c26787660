"""What is random about one sample, as a value that can be printed, kept and replayed."""

from dataclasses import dataclass

from napari_necroseg.core.augment.source import Shape


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """All that is random about one sample; the defaults are a plain crop.

    The transforms act in this order, as in the paper: blur and gamma on the intensities; mirroring, scaling
    and rotation about `centre_voxels`; the elastic displacement; the shift; the crop.

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
        Says which displacements: standard normal numbers of numpy's Philox generator with this key.
    blur_sigma_voxels
        Sigma of the Gaussian blur of each sequence, in the plane of the slices.
    gamma
        Exponent of each sequence.
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
    slice_index: int | None = None

    @property
    def is_elastic(self) -> bool:
        """Whether anything is displaced."""
        return any(amplitude > 0 for amplitude in self.elastic_voxels)


def crop_centre(corner: tuple[int, int, int], patch_shape: Shape) -> tuple[float, float, float]:
    """Return `Drawn.centre_voxels` of the plain crop whose first voxel is `corner`."""
    z, y, x = (first + (size - 1) / 2 for first, size in zip(corner, patch_shape, strict=True))
    return (z, y, x)
