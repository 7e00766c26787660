"""Exports a trained network as ONNX, and compares it with torch before the file is kept.

Axes: B batch, C channels (sequences), then (Y, X) in 2D or (Z, Y, X) in 3D.
"""

import warnings
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_necroseg.core.errors import ModelError, NecrosegError
from napari_necroseg.core.events import Event, Finished, Progress, Started
from napari_necroseg.core.files import atomic_folder, atomic_path, file_sha256, write_text
from napari_necroseg.core.network.device import default_threads, memory_errors, torch_settings
from napari_necroseg.core.network.model import Model, software_versions
from napari_necroseg.core.network.model_card import Export, model_card, read_run_scores
from napari_necroseg.core.output import sweep
from napari_necroseg.core.project.model_folder import check_run_folder

MODEL_NAME = "model.onnx"
CARD_NAME = "model_card.md"
INPUT_NAME = "images"
OUTPUT_NAME = "probability"
MOST_DIFFERENCE = 1e-4
_ROUNDING = 1e-6

# This version has all that the network needs, and programs from 2022 on read it.
_OPSET = 17

# The graph is traced once, at any size: all axes but the channels stay open.
_TRACED_SIDE = 16
_N_STEPS = 3


@dataclass(frozen=True, kw_only=True)
class ExportedModel:
    """The files of an export, and how far the probabilities of onnxruntime and torch differ at most."""

    folder: Path
    model: Path
    card: Path
    sha256: str
    difference: float
    versions: Mapping[str, str]

    def __str__(self) -> str:
        return (
            f"{self.model.name} and {self.card.name} are in {self.folder}; onnxruntime and torch differ by "
            f"{self.difference:.1e} at most."
        )


def export(model: Model, *, out: Path) -> Generator[Event, None, None]:
    """Write a network as ONNX, with a model card, into a new or empty folder.

    The input ``images`` is ``(B, C, *spatial)``, whitened, float32; the output ``probability`` is
    ``(B, 1, *spatial)``, float32. All axes but the channels are open. The folder appears when all is written
    and checked; a job that fails or is closed before leaves nothing. A file that computes other values than
    torch is a `ModelError`. The last event is `Finished` with an `ExportedModel`.
    """
    check_run_folder(out)
    sweep(out.absolute().parent)
    versions = software_versions() | _onnx_versions()
    scores = read_run_scores(model)
    yield Started(
        message=f"Exporting a {model.config.dimension.upper()} network on "
        f"{' and '.join(model.config.sequences)} to {out}."
    )
    with (
        memory_errors("a patch of this network", "close other programs"),
        torch_settings(default_threads()),
        atomic_folder(out) as stage,
    ):
        yield Progress(done=0, total=_N_STEPS, message="Writing the network")
        with atomic_path(stage / MODEL_NAME) as temporary:
            write_onnx(model, temporary)
        yield Progress(done=1, total=_N_STEPS, message="Comparing it with torch")
        difference = check_onnx(model, stage / MODEL_NAME)
        yield Progress(done=2, total=_N_STEPS, message="Writing the model card")
        made = Export(sha256=file_sha256(stage / MODEL_NAME), difference=difference, versions=versions)
        write_text(stage / CARD_NAME, model_card(model, made, scores=scores))
    yield Finished(
        result=ExportedModel(
            folder=out,
            model=out / MODEL_NAME,
            card=out / CARD_NAME,
            sha256=made.sha256,
            difference=difference,
            versions=versions,
        )
    )


def write_onnx(model: Model, path: Path) -> None:
    """Write the network, followed by a sigmoid, and note in the file where it comes from."""
    import onnx

    example = torch.zeros(1, len(model.config.sequences), *[_TRACED_SIDE] * model.network.spatial_axes)
    axes = {0: "batch", **dict(enumerate(_spatial_names(model), start=2))}
    with warnings.catch_warnings():
        # Torch 2.13 has two exporters and calls this one deprecated. The other one warns, too, needs two more
        # packages, takes 10 s instead of 0.5 and writes paths of this computer into the file.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            _WithSigmoid(model.network).eval(),
            (example,),
            path,
            dynamo=False,
            opset_version=_OPSET,
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            dynamic_axes={INPUT_NAME: axes, OUTPUT_NAME: axes},
        )
    written = onnx.load(path)
    written.doc_string = f"Research software, not a medical device; see {CARD_NAME}."
    onnx.helper.set_model_props(written, {"weights_sha256": model.sha256})
    onnx.save(written, path)


def check_onnx(model: Model, path: Path) -> float:
    """Check the file's form; return its largest absolute difference from torch on random images.

    The images are a patch as in training, and a smaller one with odd sides. A difference above
    `MOST_DIFFERENCE`, or above a hundredth of the range of the probabilities, is a `ModelError`.
    """
    import onnx

    onnx.checker.check_model(path, full_check=True)
    session = _session(path)
    generator = torch.Generator().manual_seed(0)
    return max(
        _difference(model, session, images_bcs=torch.randn(shape, generator=generator))
        for shape in _compared_shapes(model)
    )


def _difference(model: Model, session: Any, *, images_bcs: Tensor) -> float:
    (probability,) = session.run([OUTPUT_NAME], {INPUT_NAME: images_bcs.numpy()})
    with torch.inference_mode():
        expected = model.network(images_bcs).sigmoid().numpy()
    difference = float(np.abs(probability - expected).max())
    # A network that has hardly learned gives almost the same probability everywhere: then 1e-4 is much.
    most = float(np.clip(np.ptp(expected) / 100, _ROUNDING, MOST_DIFFERENCE))
    # `not <=` refuses nan, too.
    if not difference <= most:
        raise ModelError(
            f"The exported file computes other probabilities than the model in {model.run}: they differ by "
            f"{difference:.2g}, more than {most:.2g}, so it was not kept. Update torch, onnx and "
            "onnxruntime, and export again."
        )
    return difference


class _WithSigmoid(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits.sigmoid()


def _onnx_versions() -> dict[str, str]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise NecrosegError(
            f"The export needs the package {error.name}, which this Python cannot import. Install the extra: "
            'pip install "napari-necroseg[export]"'
        ) from error
    return {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = default_threads()
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _spatial_names(model: Model) -> tuple[str, ...]:
    return ("slices", "rows", "columns")[-model.network.spatial_axes :]


def _compared_shapes(model: Model) -> tuple[tuple[int, ...], ...]:
    """Return ``(B, C, *spatial)`` of the patch (in 2D its slices are the batch) and of a smaller one."""
    patch = model.record.patch_shape
    channels = len(model.config.sequences)
    batch = 1 if model.network.spatial_axes == 3 else patch[0]
    spatial = patch[-model.network.spatial_axes :]
    return (batch, channels, *spatial), (2, channels, *(side // 4 * 2 + 1 for side in spatial))
