"""Where a plain crop lies, for the tests of the augmentation."""

Triple = tuple[int, int, int]


def crop_centre(corner: Triple, patch_shape: Triple) -> tuple[float, float, float]:
    """Return `Drawn.centre_voxels` of the plain crop whose first voxel is `corner`."""
    z, y, x = (first + (size - 1) / 2 for first, size in zip(corner, patch_shape, strict=True))
    return (z, y, x)
