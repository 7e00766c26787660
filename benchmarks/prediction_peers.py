"""The peers of the benchmark of prediction, as their users call them."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import torch

from napari_necroseg.core.network.unet import Joining2d, Joining3d, UNet

PATCH = (64, 128, 128)
Contender = Callable[[], np.ndarray]


def take_the_long_way(network: UNet) -> None:
    """Let a network enlarge, concatenate and convolve, as it is drawn."""
    for module in network.modules():
        if isinstance(module, Joining2d | Joining3d) and module.resize_mode == "nearest":
            # The same numbers where a side is doubled, and a name that `joining.doubles` leaves alone.
            module.resize_mode = "nearest-exact"


def monai_contender(network: UNet, images: np.ndarray) -> Contender:
    """MONAI's sliding window; in 2D slice by slice as a batch."""
    from monai.inferers import sliding_window_inference

    is_2d = network.spatial_axes == 2
    tensor = torch.from_numpy(images)
    inputs = tensor.movedim(0, 1) if is_2d else tensor[None]
    patch, at_once = (PATCH[1:], 16) if is_2d else (PATCH, 1)

    @torch.inference_mode()
    def predict() -> np.ndarray:
        logits = sliding_window_inference(inputs, patch, at_once, network, overlap=0.5, mode="gaussian")
        return logits.sigmoid().numpy()

    return predict


def nnunet_contender(network: UNet, images: np.ndarray) -> Contender:
    """nnU-Net's predictor, given what it takes from a plan: patch and number of outputs."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=False,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    patch = list(PATCH[1:] if network.spatial_axes == 2 else PATCH)
    predictor.network = network
    predictor.configuration_manager = SimpleNamespace(patch_size=patch)
    predictor.label_manager = SimpleNamespace(num_segmentation_heads=1)
    tensor = torch.from_numpy(images)

    def predict() -> np.ndarray:
        return predictor.predict_sliding_window_return_logits(tensor).float().sigmoid().numpy()

    return predict
