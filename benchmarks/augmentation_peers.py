"""How the users of other libraries write the paper's augmentation: one training sample, cropped first.

Every peer gets the region about the lesion that its own users would cut first (the patch and what a turn, a
scaling and a shift may bring in), and does in its own way: elastic deformation, scaling by 0.6 to 1.4,
rotation by 30 and 20 degrees, a shift by 20 voxels, the crop to the patch, flips, gamma, blur, and z-scores.

Axes: C channels, Z slices, Y rows, X columns. Images are torch tensors ``(C, *S)``, masks ``(1, *S)``.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Peer = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

SEQUENCES = ("ceT1", "T2")
RADIANS = (np.deg2rad(30), np.deg2rad(20))
SHIFT = 20


def monai(kind: str, patch: tuple[int, ...]) -> Peer:
    """MONAI's dictionary transforms; `kind` is ``elastic``, ``smooth`` or ``smooth-lazy``."""
    from monai import transforms as mt

    flat = len(patch) == 2
    keys = [*SEQUENCES, "mask"]
    how = {"mode": ("bilinear", "bilinear", "nearest"), "padding_mode": "zeros", "prob": 1.0}
    affine = {
        "rotate_range": [RADIANS[0]] if flat else [RADIANS[0], 0.0, RADIANS[1]],
        "scale_range": (-0.4, 0.4),
        "translate_range": (SHIFT,) * 2 if flat else (0, SHIFT, SHIFT),
        "spatial_size": patch,
    }
    if kind == "elastic" and flat:
        spatial = [mt.Rand2DElasticd(keys, spacing=(64, 64), magnitude_range=(10, 10), **affine, **how)]
    elif kind == "elastic":
        spatial = [mt.Rand3DElasticd(keys, sigma_range=(5, 8), magnitude_range=(100, 200), **affine, **how)]
    else:
        smooth = mt.RandSmoothDeformd(
            keys,
            spatial_size=patch,
            rand_size=(3,) * len(patch),
            prob=1.0,
            field_mode="bicubic" if flat else "trilinear",
            def_range=0.15,
            grid_mode=("bilinear", "bilinear", "nearest"),
            grid_padding_mode="zeros",
        )
        spatial = [mt.RandAffined(keys, **affine, **how), smooth]
    flips = [mt.RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(len(patch))]
    intensity = [
        transform
        for sequence in SEQUENCES
        for transform in (
            mt.RandGaussianSmoothd([sequence], (0.01, 0.5), (0.01, 0.5), (0.01, 0.01), prob=1.0),
            mt.RandAdjustContrastd([sequence], gamma=(0.5, 2), prob=1.0),
            mt.NormalizeIntensityd([sequence]),
        )
    ]
    chain = mt.Compose([*spatial, *flips, *intensity], lazy=kind == "smooth-lazy")

    def run(images: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        made = chain(
            {name: image[None] for name, image in zip(SEQUENCES, images, strict=True)} | {"mask": mask}
        )
        return torch.cat([made[name] for name in SEQUENCES]), made["mask"]

    return run


def batchgenerators(patch: tuple[int, ...], *, is_elastic: bool) -> Peer:
    """The transforms of nnU-Net's trainer; its one spatial transform crops to the patch itself."""
    from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
    from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms

    def angle(image: Tensor, dim: int | None) -> float:
        most = RADIANS[0] if len(patch) == 2 or dim == 0 else RADIANS[1] if dim == len(patch) - 1 else 0.0
        return float(np.random.uniform(-most, most))  # noqa: NPY002  # as the library itself

    chain = ComposeTransforms(
        [
            SpatialTransform(
                patch,
                patch_center_dist_from_border=0,
                random_crop=False,
                p_elastic_deform=1.0 if is_elastic else 0.0,
                elastic_deform_scale=(0.25, 0.5),
                elastic_deform_magnitude=(10, 10),
                p_rotation=1.0,
                rotation=angle,
                p_scaling=1.0,
                scaling=(0.6, 1.4),
                p_synchronize_scaling_across_axes=1.0,
            ),
            GaussianBlurTransform(blur_sigma=(0.01, 0.5), p_per_channel=1.0),
            GammaTransform(
                gamma=(0.5, 2.0),
                p_invert_image=0.0,
                synchronize_channels=False,
                p_per_channel=1.0,
                p_retain_stats=0.0,
            ),
            MirrorTransform(tuple(range(len(patch)))),
        ]
    )

    def run(images: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        made = chain(image=images, segmentation=mask.to(torch.int16))
        return _standardised(made["image"]), made["segmentation"]

    return run


def torchio(patch: tuple[int, ...]) -> Peer:
    """TorchIO's random transforms on a subject of two images and a mask."""
    import torchio as tio

    chain = tio.Compose(
        [
            tio.RandomElasticDeformation(
                num_control_points=(4, 5, 5),
                max_displacement=(5 if patch[0] > 1 else 0, 10, 10),
                locked_borders=0,
            ),
            tio.RandomAffine(
                scales=(0.6, 1.4),
                isotropic=True,
                degrees=(-30, 30, 0, 0, -20 if patch[0] > 1 else 0, 20 if patch[0] > 1 else 0),
                translation=(0, 0, -SHIFT, SHIFT, -SHIFT, SHIFT),
            ),
            tio.CropOrPad(patch),
            tio.RandomFlip(axes=(0, 1, 2) if patch[0] > 1 else (1, 2), flip_probability=0.5),
            tio.RandomBlur(std=(0.01, 0.5)),
            tio.RandomGamma(log_gamma=(np.log(0.5), np.log(2))),
            tio.ZNormalization(),
        ]
    )

    def run(images: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        parts = {
            name: tio.ScalarImage(tensor=image[None]) for name, image in zip(SEQUENCES, images, strict=True)
        }
        made = chain(tio.Subject(**parts, mask=tio.LabelMap(tensor=mask)))
        return torch.cat([made[name].data for name in SEQUENCES]), made["mask"].data

    return run


def kornia_batch(patch: tuple[int, int]) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Kornia's batched transforms on ``(B, C, Y, X)``; its elastic deformation takes ten times longer."""
    import kornia.augmentation as ka

    chain = ka.AugmentationSequential(
        ka.RandomAffine(30, translate=(SHIFT / 192, SHIFT / 192), scale=(0.6, 1.4), p=1.0),
        ka.CenterCrop(patch),
        ka.RandomHorizontalFlip(p=0.5),
        ka.RandomVerticalFlip(p=0.5),
        ka.RandomGaussianBlur((3, 3), (0.01, 0.5), p=1.0),
        ka.RandomGamma((0.5, 2.0), p=1.0),
        data_keys=["input", "mask"],
    )

    def run(images: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
        made, cut = chain((images - low) / (high - low), mask)
        mean, deviation = made.mean((2, 3), keepdim=True), made.std((2, 3), keepdim=True)
        return (made - mean) / deviation, cut

    return run


def _standardised(images: Tensor) -> Tensor:
    axes = tuple(range(1, images.ndim))
    return (images - images.mean(axes, keepdim=True)) / images.std(axes, keepdim=True)
