"""Trains a network step by step, and holds all the state that the next step depends on."""

import math

import torch
from torch import Tensor

from napari_necroseg.core.augment.sample import Sample
from napari_necroseg.core.errors import ModelError
from napari_necroseg.core.network.device import Hardware, is_out_of_memory, precision_context
from napari_necroseg.core.network.losses import training_loss
from napari_necroseg.core.network.model import Model, new_network
from napari_necroseg.core.network.unet import UNet
from napari_necroseg.core.plan import Plan


class Learner:
    """A network and its optimiser.

    It starts from random weights, or from those of `initial`, which must be the same network as the plan's.
    """

    def __init__(self, plan: Plan, hardware: Hardware, *, initial: Model | None = None) -> None:
        self.config = plan.config
        self.hardware = hardware
        network = _initial_network(plan)
        if initial is not None:
            _check_same_network(initial, plan)
            network.load_state_dict(initial.network.state_dict())
        self.network = network.placed(hardware.device).train()
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=plan.config.learning_rate)

    def step(self, sample: Sample, progress: float) -> Tensor:
        """Learn from one mini-batch; return its loss, on the device. `progress` goes from 0 to 1."""
        if self.config.learning_rate_decay:
            for group in self.optimiser.param_groups:
                group["lr"] = self.config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        images = self.network.laid_out(sample.images.to(self.hardware.device))
        target = sample.target.to(self.hardware.device)
        with precision_context(self.hardware):
            logits = self.network(images)
        loss = training_loss(logits[:, 0], target, config=self.config)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.detach()

    def state(self) -> dict[str, Tensor]:
        """Return all tensors that the next step depends on, by name, without copying them."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for number, of_weight in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": tensor for name, tensor in of_weight.items()}
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take over the tensors that `state` returned; those of another network are a `ModelError`."""
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            parts.setdefault(kind, {})[rest] = tensor
        of_weights: dict[int, dict[str, Tensor]] = {}
        try:
            for name, tensor in parts["optimiser"].items():
                number, _, field = name.partition(".")
                of_weights.setdefault(int(number), {})[field] = tensor
            _check_shapes(self.network, of_weights)
            whole = self.optimiser.state_dict() | {"state": _laid_out(self.network, of_weights)}
            self.network.load_state_dict(parts["network"])
            self.optimiser.load_state_dict(whole)
        except (RuntimeError, ValueError, KeyError) as error:
            if is_out_of_memory(error):
                raise
            raise ModelError(
                "The checkpoint is of another network; start the training anew in a new folder."
            ) from error


def _check_shapes(network: UNet, of_weights: dict[int, dict[str, Tensor]]) -> None:
    """Refuse an optimiser's state of other weights, which torch would notice only at the next step."""
    for number, weight in enumerate(network.parameters()):
        for name, tensor in of_weights.get(number, {}).items():
            if tensor.ndim and tensor.shape != weight.shape:
                raise ValueError(f"{name} of weight {number} is {tuple(tensor.shape)}")


def _laid_out(network: UNet, of_weights: dict[int, dict[str, Tensor]]) -> dict[int, dict[str, Tensor]]:
    """Lay out the optimiser's state like its weights; otherwise a card handles them one by one."""
    return {
        number: {
            name: torch.empty_like(weight).copy_(tensor) if tensor.ndim else tensor
            for name, tensor in of_weights[number].items()
        }
        for number, weight in enumerate(network.parameters())
        if number in of_weights
    }


def _initial_network(plan: Plan) -> UNet:
    """Draw the weights by the plan's seed, without changing the program's own random state."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(plan.config.seed)
        return new_network(plan.config, plan.widths)


def _check_same_network(model: Model, plan: Plan) -> None:
    was, wanted = (
        (config.dimension, tuple(map(str, config.sequences)), config.upsampling, widths)
        for config, widths in ((model.config, model.record.widths), (plan.config, plan.widths))
    )
    if was != wanted:
        raise ModelError(
            f"The model {model.run.name} is a {was[0].upper()} network on {' and '.join(was[1])}, the "
            f"training one in {wanted[0].upper()} on {' and '.join(wanted[1])}; "
            "choose the same network and sequences."
        )
    shapes = list(zip(model.record.patch_shape, plan.patch_shape, strict=True))
    pairs = {
        "images whitened by {}, the training whitens by {}": (model.config.whitening, plan.config.whitening),
        "stacks of {} slices, the training makes {}": shapes[0],
    }
    if not plan.config.whitens_images:
        pairs["patches of {} pixels, each whitened by itself, the training makes {}"] = shapes[1]
    for text, (learned, now) in pairs.items():
        if learned != now:
            raise ModelError(
                f"The model {model.run.name} has learned {text.format(learned, now)}; choose the same."
            )
