"""The loss of a training: the paper's Tversky loss, with cross-entropy added if wanted."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from napari_necroseg.core.config import TrainConfig

# Keeps 0 / 0 defined where neither the target nor the prediction has any voxel: the index is then 1.
_SMOOTHING = 1e-6


def training_loss(logits: Tensor, target: Tensor, *, config: TrainConfig) -> Tensor:
    """Return the loss of a mini-batch: 1 - TI, plus the weighted mean cross-entropy over its voxels.

    `logits` are ``(B, *S)``, fp32; `target` is ``(B, *S)``, 0 and 1.
    """
    loss = tversky_loss(logits.sigmoid(), target, alpha=config.alpha, beta=config.beta)
    if config.cross_entropy:
        loss = loss + config.cross_entropy * binary_cross_entropy_with_logits(logits, target.to(logits.dtype))
    return loss


def tversky_loss(probability: Tensor, target: Tensor, *, alpha: float, beta: float) -> Tensor:
    """Return 1 - TI, with the sums taken over the whole mini-batch: a scalar in [0, 1], never nan.

    TI = sum p0 r0 / (sum p0 r0 + alpha * sum p0 r1 + beta * sum p1 r0), where p0 is the probability of
    the target (of any shape), p1 = 1 - p0, and r0, r1 are the reference's indicators of target and
    background. So `alpha` weighs false positives and `beta` false negatives; with both at 0.5, TI is
    Dice. The result is fp32, or the wider type of `probability`.

    S. S. M. Salehi, D. Erdogmus, A. Gholipour, *Tversky loss function for image segmentation using 3D
    fully convolutional deep networks*, 2017. The necrosis paper prints the index without the "1 -" and
    with a stray factor of 2.
    """
    # Sums over a million voxels overflow the 8 significant bits of bfloat16.
    dtype = torch.promote_types(probability.dtype, torch.float32)
    probability, target = probability.to(dtype), target.to(dtype)
    hit = (probability * target).sum()
    false_positive = probability.sum() - hit
    false_negative = target.sum() - hit
    overlap = hit + _SMOOTHING
    return 1.0 - overlap / (overlap + alpha * false_positive + beta * false_negative)
