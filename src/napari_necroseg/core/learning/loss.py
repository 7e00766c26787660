"""What a training minimises: the Tversky loss of the paper, and cross-entropy beside it if wanted."""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.learning.tversky import tversky_loss


def training_loss(logits: Tensor, target: Tensor, config: TrainConfig) -> Tensor:
    """Return the loss of a mini-batch.

    Parameters
    ----------
    logits
        ``(B, *S)``, fp32.
    target
        ``(B, *S)``, 0 and 1.
    config
        Its `alpha`, `beta` and `cross_entropy` are used.

    Returns
    -------
    Tensor
        A scalar: 1 - TI over the whole mini-batch, plus the weighted mean cross-entropy over its voxels.
    """
    loss = tversky_loss(logits.sigmoid(), target, alpha=config.alpha, beta=config.beta)
    if config.cross_entropy:
        loss = loss + config.cross_entropy * binary_cross_entropy_with_logits(logits, target.to(logits.dtype))
    return loss
