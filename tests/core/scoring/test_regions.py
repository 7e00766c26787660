import numpy as np

from napari_necroseg.core.scoring.scores import box_region, patch_about


def test_the_box_is_ten_millimetres_wider_on_every_side() -> None:
    reference = np.zeros((11, 60, 60), bool)
    reference[5, 30, 20:23] = True

    box = box_region(reference, (4.0, 1.0, 0.5))

    # 10 mm are 2 whole slices of 4 mm, 10 rows of 1 mm, 20 columns of 0.5 mm.
    assert box == (slice(3, 8), slice(20, 41), slice(0, 43))


def test_a_margin_of_a_whole_number_of_voxels_does_not_lose_one_to_rounding() -> None:
    reference = np.zeros((1, 1, 301), bool)
    reference[0, 0, 150] = True
    assert box_region(reference, (4.0, 1.0, 0.1))[2] == slice(50, 251)


def test_the_patch_is_128_voxels_about_the_centroid_and_all_slices() -> None:
    reference = np.zeros((64, 300, 300), bool)
    reference[10, 149:151, 199:201] = True
    assert patch_about(np.argwhere(reference).mean(axis=0), reference.shape) == (
        slice(0, 64),
        slice(86, 214),
        slice(136, 264),
    )


def test_the_patch_is_clipped_to_the_image() -> None:
    reference = np.zeros((64, 100, 300), bool)
    reference[10, 5, 295] = True
    _, rows, columns = patch_about(np.argwhere(reference).mean(axis=0), reference.shape)
    assert rows == slice(0, 69)
    assert columns.stop == 300
