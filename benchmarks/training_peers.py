"""How the peers of `training` are trained: as their own documentation does, the time being the only limit.

Axes: C channels, Z the acquired slices, Y rows, X columns. The peers get both sequences on the ceT1 grid, in
our upright order, and their data before their time begins; reading and preprocessing cost them nothing.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import torch

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.config import train_preset, usual_prediction
from napari_necroseg.core.grids.slices import probability_from_slices
from napari_necroseg.core.masks.components import outline
from napari_necroseg.core.volume import Grid

# What `nnUNetv2_plan_experiment -gpu_memory_target` is given, in GB.
NNUNET_MEMORY_GB = 1.5
MONAI_PATCH = {"2d": (1, 128, 128), "3d": (16, 128, 128)}
MONAI_LEARNING_RATE = 1e-3
# Iterations, and the masks by name of the score.
Masks = tuple[int, dict[str, list[np.ndarray]]]


def images_of(case: Case) -> np.ndarray:
    """``(C, Z, Y, X)``, float32: ceT1 and T2."""
    return np.stack([case.sequences[sequence].voxels for sequence in Sequence]).astype(np.float32)


def shares(minutes: float) -> Iterator[float]:
    """Yield the share of the time that has passed, until it is over."""
    started = time.monotonic()
    while (share := (time.monotonic() - started) / (60 * minutes)) < 1:
        yield share


def train_monai(options: argparse.Namespace, train: list[Case], test: list[Case], _work: Path) -> Masks:
    """Train MONAI's residual U-Net with its crops, flips and intensity transforms; Dice and cross-entropy."""
    from monai.data import CacheDataset, DataLoader, list_data_collate
    from monai.losses import DiceCELoss
    from monai.networks.nets import UNet
    from monai.utils import set_determinism

    torch.set_num_threads(options.threads)
    set_determinism(0)
    is_2d = options.dimension == "2d"
    items = [{"image": images_of(case), "label": case.reference.voxels[None] > 0} for case in train]
    patch = (MONAI_PATCH[options.dimension][0], options.monai_side, options.monai_side)
    data = CacheDataset(items, monai_transforms(patch, is_2d=is_2d), progress=False)
    loader = DataLoader(data, batch_size=4 if is_2d else 2, shuffle=True, collate_fn=list_data_collate)
    # The U-Net of MONAI's spleen tutorial.
    network = UNet(
        2 if is_2d else 3, 2, 2, (16, 32, 64, 128, 256), (2, 2, 2, 2), num_res_units=2, norm="BATCH"
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=MONAI_LEARNING_RATE)
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True)
    batches = iter(())
    iterations = 0
    for share in shares(options.minutes):
        optimiser.param_groups[0]["lr"] = MONAI_LEARNING_RATE * (1 + math.cos(math.pi * share)) / 2
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        optimiser.zero_grad()
        loss_of(network(batch["image"].as_tensor()), batch["label"].as_tensor()).backward()
        optimiser.step()
        iterations += 1
    found = [monai_masks(network, case, is_2d=is_2d) for case in test]
    return iterations, {way: [one[way] for one in found] for way in found[0]}


def monai_transforms(patch: tuple[int, int, int], *, is_2d: bool):
    """Return the transforms of MONAI's tutorials, of slices or of volumes."""
    from monai import transforms as t

    both = ["image", "label"]
    flips = [t.RandFlipd(both, prob=0.5, spatial_axis=axis) for axis in ((0, 1) if is_2d else (0, 1, 2))]
    return t.Compose(
        [
            t.EnsureTyped(both, dtype=torch.float32),
            t.NormalizeIntensityd("image", nonzero=True, channel_wise=True),
            t.SpatialPadd(both, patch),
            t.RandCropByPosNegLabeld(both, "label", patch, pos=1, neg=1, num_samples=4 if is_2d else 1),
            *([t.SqueezeDimd(both, dim=1)] if is_2d else []),
            *flips,
            t.RandScaleIntensityd("image", factors=0.1, prob=0.5),
            t.RandShiftIntensityd("image", offsets=0.1, prob=0.5),
        ]
    )


@torch.inference_mode()
def monai_probabilities(network: torch.nn.Module, case: Case, *, is_2d: bool) -> np.ndarray:
    """Predict by MONAI's sliding window, half overlapping, Gaussian weights.

    Parameters
    ----------
    network, case, is_2d
        Trained; any; of slices or of volumes.

    Returns
    -------
    ndarray
        ``(4, Z, Y, X)``: of the image, and of it mirrored along Y, X and both.
    """
    from monai.inferers import SliceInferer, SlidingWindowInferer
    from monai.transforms import NormalizeIntensity

    image = NormalizeIntensity(nonzero=True, channel_wise=True)(torch.from_numpy(images_of(case)))
    how = {"sw_batch_size": 8 if is_2d else 1, "overlap": 0.5, "mode": "gaussian"}
    if is_2d:
        inferer = SliceInferer(spatial_dim=0, roi_size=MONAI_PATCH["2d"][1:], **how)
    else:
        inferer = SlidingWindowInferer(MONAI_PATCH["3d"], **how)
    network.eval()
    members = [
        inferer(image.flip(axes)[None], network)[0].softmax(dim=0)[1].flip([a - 1 for a in axes])
        for axes in ((), (2,), (3,), (2, 3))
    ]
    return torch.stack(members).numpy()


def monai_masks(network: torch.nn.Module, case: Case, *, is_2d: bool) -> dict[str, np.ndarray]:
    """Return the masks by name of the score: plain, mirrored, and by the recipe of ours."""
    members = monai_probabilities(network, case, is_2d=is_2d)
    mean = members.mean(axis=0)
    return {
        "dice": members[0] > 0.5,
        "dice_mirrored": mean > 0.5,
        "dice_recipe": by_recipe(mean, case.grid, is_2d=is_2d),
    }


def by_recipe(probability: np.ndarray, grid: Grid, *, is_2d: bool) -> np.ndarray:
    """Make a mask of a mean over mirrored images ``(Z, Y, X)`` by the rest of what we do with our own."""
    recipe = usual_prediction(train_preset("fast", "2d" if is_2d else "3d"))
    if is_2d:
        smoothing = recipe.slice_smoothing_mm / grid.spacing_mm[0]
        probability = probability_from_slices(probability, len(probability), smoothing_slices=smoothing)
    return outline(probability, recipe, voxel_ml=grid.voxel_ml) > 0


def train_nnunet(options: argparse.Namespace, train: list[Case], test: list[Case], work: Path) -> Masks:
    """Train nnU-Net's own network and trainer on its own plan; its polynomial schedule spans the time."""
    for name in ("raw", "preprocessed", "results"):
        (work / name).mkdir()
        os.environ[f"nnUNet_{name}"] = str((work / name).resolve())
    os.environ |= {"nnUNet_n_proc_DA": "1", "nnUNet_compile": "f", "nnUNet_def_n_proc": "1"}
    write_nnunet_dataset(train, work / "raw" / "Dataset001_necrosis")
    configuration = "2d" if options.dimension == "2d" else "3d_fullres"
    trainer = nnunet_trainer(work / "preprocessed" / "Dataset001_necrosis", configuration)
    # Planned; from here on no process beside the threads that are counted.
    os.environ |= {"nnUNet_n_proc_DA": "0"}
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - what nnU-Net draws from
    trainer.on_train_start()
    trainer.network.train()
    iterations = 0
    for share in shares(options.minutes):
        trainer.optimizer.param_groups[0]["lr"] = trainer.initial_lr * (1 - share) ** 0.9
        trainer.train_step(next(trainer.dataloader_train))
        iterations += 1
    # Its predictor mirrors by itself.
    return iterations, {"dice_mirrored": [nnunet_mask(trainer, case) for case in test]}


def write_nnunet_dataset(cases: list[Case], folder: Path) -> None:
    """Write cases as nnU-Net wants them; its axes are columns, rows, slices."""
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    for case in cases:
        affine = np.diag([*case.grid.spacing_mm[::-1], 1])
        for number, image in enumerate(images_of(case)):
            path = folder / "imagesTr" / f"{case.name}_{number:04d}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(image.T, affine), path)
        label = (case.reference.voxels > 0).astype(np.uint8).T
        nibabel.save(nibabel.Nifti1Image(label, affine), folder / "labelsTr" / f"{case.name}.nii.gz")
    described = {
        "channel_names": {"0": "ceT1", "1": "T2"},
        "labels": {"background": 0, "necrosis": 1},
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(described), encoding="utf-8")


def nnunet_trainer(folder: Path, configuration: str):
    """Plan and preprocess into a folder as nnU-Net does; return its trainer on all cases."""
    from batchgenerators.utilities.file_and_folder_operations import load_json
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    api.extract_fingerprints([1], num_processes=1, check_dataset_integrity=False)
    api.plan_experiments([1], gpu_memory_target_in_gb=NNUNET_MEMORY_GB)
    api.preprocess([1], configurations=[configuration], num_processes=[1])
    plans = load_json(str(folder / "nnUNetPlans.json")) | {"continue_training": False}
    described = load_json(str(folder / "dataset.json"))
    trainer = nnUNetTrainer(plans, configuration, "all", described, torch.device("cpu"))
    trainer.initialize()
    return trainer


def nnunet_mask(trainer, case: Case) -> np.ndarray:
    """Predict by nnU-Net's predictor with its defaults, mirroring included."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    trainer.set_deep_supervision_enabled(False)
    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        trainer.network.eval(),
        trainer.plans_manager,
        trainer.configuration_manager,
        None,
        trainer.dataset_json,
        "nnUNetTrainer",
        trainer.inference_allowed_mirroring_axes,
    )
    # The trainer's network holds its own weights; the predictor wants a list of them.
    predictor.list_of_parameters = [trainer.network.state_dict()]
    properties = {"spacing": list(case.grid.spacing_mm)}
    return predictor.predict_single_npy_array(images_of(case), properties) > 0
