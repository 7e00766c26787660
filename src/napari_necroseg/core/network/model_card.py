"""Writes the model card: what an exported network is, how it was made, how to run it, and its limits."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from napari_necroseg.core.config import usual_prediction
from napari_necroseg.core.network.model import Model
from napari_necroseg.core.network.unet import n_parameters
from napari_necroseg.core.scoring.scores import SCORE_NAMES, Scores
from napari_necroseg.core.scoring.summary import summarise
from napari_necroseg.core.scoring.tables import read_scores
from napari_necroseg.core.tissue import BRIGHTEST, DARKEST

SCORES_NAME = "scores.csv"
_LIMITS = """\
## Limits

- It was trained on the cases counted above alone. Other scanners, sequences, body regions or times after the
  ablation are untried unless the scores above say otherwise.
- The file is the network alone. Pairing the sequences, bringing them into this orientation and onto these
  slices, whitening, overlapping patches, the way back to the acquired slices{more} are up to who runs it;
  `necroseg predict` does all of it.
- A patch, or a slice that is seen whole, in which every sequence is constant is air, and gets probability 0
  without the network.
- Patches of other sizes are computed, too, but the network was trained on the one above.
- Licence: the program that made this file is under BSD-3-Clause. The weights have the licence that those who
  trained them give them, within what the training images allow; this card grants none."""
_WHAT = {
    "patch": "a patch of your case",
    "volume": "your whole image",
    "tissue": "your whole image, not interpolated to slices yet,",
}
_TISSUE_CODE = """\


def near(voxels, values, distance):
    found = np.zeros(voxels.shape, bool)
    for value in values:
        reach = max(distance, 1e-6 * abs(value))
        found |= (voxels >= value - reach) & (voxels <= value + reach)
    return found


def whiten(voxels):
    # Evenly spread voxels give the statistics.
    step = max(1, -(-voxels.size // 262144))
    while np.gcd(step, voxels.size) > 1:
        step += 1
    seen = voxels.ravel()[::step].astype(float)
    # Background is what the edges of the slices have in common.
    edges = np.concatenate([voxels[:, [0, -1]].ravel(), voxels[:, :, [0, -1]].ravel()])
    values, counts = np.unique(edges, return_counts=True)
    common = values[counts >= max(edges.size / 8, 8)].astype(float).tolist()
    rest = seen[~near(seen, common, 0)]
    low, high = np.percentile(rest, [1, 99])
    # Where a format ends, bright fat has one value, too, without a gap below it.
    common = [v for v in common if v < high or np.mean(rest > v - (high - low) / 5) < 0.001]
    middle, bright = np.percentile(seen[~near(seen, common, 0)], [50, 99])
    halo = 0.005 * (bright - middle)
    rest = seen[~near(seen, common, halo)]
    darkest, floor, bright = np.percentile(rest, [1, 10, 99])
    # Tissue is brighter than the mean of the image.
    cut = np.clip(rest, floor, bright)
    tissue = cut[cut > (cut.sum() + (seen.size - cut.size) * floor) / seen.size]
    low, high = np.percentile(tissue, [1, 99])
    tissue = np.clip(tissue, low, high)
    # A background that no scanner makes counts as 0. (The program also looks whether one as bright as tissue
    # is at the edges, and puts what is beside in the place of voxels that are no signal.)
    lowest = 0 if darkest >= 0 else 2 * darkest - high
    unreal = near(voxels, [value for value in common if not lowest <= value <= darkest], halo)
    voxels = np.where(unreal, min(0, darkest), voxels)
    return np.clip((voxels - tissue.mean()) / tissue.std(), {darkest:g}, {brightest:g})


white = np.stack([whiten(sequence) for sequence in image]).astype(np.float32)
# Interpolate it to {n_slices} slices now if it has others, and clip it again."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """What the card says of the exported file: its hash, its distance from torch, and who wrote it."""

    sha256: str
    difference: float
    versions: Mapping[str, str]


def read_run_scores(model: Model) -> dict[str, Scores]:
    """Read the scores in the run's folder, a case each; none if it has no ``scores.csv``.

    Raises
    ------
    FileError
        If the table is damaged.
    """
    path = model.run / SCORES_NAME
    return read_scores(path) if path.exists() else {}


def model_card(model: Model, export: Export, scores: Mapping[str, Scores]) -> str:
    """Write the card, in Markdown.

    No case is named: whether a name is a patient's cannot be told.

    Parameters
    ----------
    model
        That was exported.
    export
        The exported file.
    scores
        By case, from `read_run_scores`.
    """
    return "\n\n".join(
        (
            f"# Segmentation after radiofrequency ablation: a {model.config.dimension.upper()} U-Net on "
            f"{_sequences(model)}",
            _purpose(model),
            _input(model),
            _training(model),
            _scores(model, scores),
            _files(model, export),
            _limits(model),
            usage(model),
        )
    )


def _limits(model: Model) -> str:
    usual = usual_prediction(model.config)
    more = ["the mean over mirrored images"] if usual.tta else []
    if usual.slice_smoothing_mm and model.config.dimension == "2d":
        more.append(f"a Gaussian of {usual.slice_smoothing_mm:g} mm across slices")
    if usual.smallest_share:
        more.append(f"leaving out parts smaller than {usual.smallest_share:g} of the largest")
    return _LIMITS.format(more=f", {', '.join(more)}" if more else "")


def _purpose(model: Model) -> str:
    shown = (
        "the necrosis zone which radiofrequency ablation leaves in a spinal metastasis"
        if model.config.target == "reference"
        else "a spinal metastasis which was treated with radiofrequency ablation"
    )
    return f"""\
**Research software, not a medical device.** It must not be used for diagnosis or to decide about a treatment.

`model.onnx` gives each voxel of a patch of MR images the probability that it belongs to
{shown}.
It was trained with napari-necroseg, which follows Steffen, Hille et al., *Automatic Segmentation of Necrosis
Zones after Radiofrequency Ablation of Spinal Metastases*."""


def _input(model: Model) -> str:
    is_2d = model.config.dimension == "2d"
    n_slices, n_rows, n_columns = model.record.patch_shape
    axes = "`(B, C, Y, X)`, a slice each along B" if is_2d else "`(B, C, Z, Y, X)`"
    return f"""\
## Network and input

| | |
|---|---|
| network | {model.config.dimension.upper()} U-Net, levels of {_list(model.record.widths)} channels, \
{n_parameters(model.network):,} parameters, {model.config.upsampling} upsampling |
| input `images` | float32, {axes}; channels: {_sequences(model)}, in this order |
| output `probability` | float32, one channel, the sigmoid included; the other axes are those of the input |
| axes of any size | all but the channels |
| patch in training | {n_slices} slices x {n_rows} rows x {n_columns} columns |
| orientation | slices from the patient's right to left, rows from head to feet, columns from front to back |
| slices | {n_slices}, interpolated from the acquired ones (cubic spline, first and last slice centre kept) |
| pixels | of the ceT1 image, not resampled; T2 is interpolated onto the ceT1 grid |
| whitening | {_whitening(model)}; a constant sequence becomes zeros |"""


def _whitening(model: Model) -> str:
    if model.config.whitening == "volume":
        return (
            "of each sequence of the whole image, before patches are cut: minus the mean, over the standard "
            "deviation, of the voxels that are brighter than the image's mean"
        )
    if model.config.whitening == "tissue":
        return (
            "of each sequence of the whole image as acquired, before it is interpolated to slices: minus "
            f"the mean, over the standard deviation, of its tissue, cut off at {DARKEST:g} and {BRIGHTEST:g} "
            "before and after the interpolation; the code below says what is tissue"
        )
    statistics = (
        "of every fourth voxel along each axis of the whole patch, not of the single slice"
        if model.config.dimension == "2d"
        else "of all voxels of the patch"
    )
    return f"of each patch and sequence: minus the mean, over the standard deviation, {statistics}"


def _training(model: Model) -> str:
    record = model.record
    names = "\n".join(sorted(model.cases)).encode()
    config = json.dumps(record.config.model_dump(mode="json"), indent=2)
    return f"""\
## Training

| | |
|---|---|
| target | {"necrosis" if record.config.target == "reference" else "tumour"} (`{record.config.target}`) |
| training cases | {len(model.cases)} |
| SHA-256 of their names | `{hashlib.sha256(names).hexdigest()}` (sorted, UTF-8, a line feed between two) |
| iterations | {record.iterations} |
| time | {record.seconds:.0f} s on {record.device}, {record.threads} CPU threads |
| last loss | {record.loss:.4f} |

```json
{config}
```"""


def _scores(model: Model, scores: Mapping[str, Scores]) -> str:
    if not scores:
        return "## Scores\n\nnot scored here"
    summary = summarise(scores)
    n_seen = len(set(scores) & set(model.cases))
    rows = [
        f"| {name} | {_number(summary.mean[name])} | {_number(summary.median[name])} | "
        f"{_number(summary.std[name])} |"
        for name in SCORE_NAMES
    ]
    return "\n".join(
        (
            "## Scores",
            "",
            f"From `{SCORES_NAME}` in the folder of the run: {len(scores)} cases, **{n_seen} of them seen in "
            f"training**; {summary.scored} scored, {summary.missed} missed (averaged with Dice 0), "
            f"{summary.false_alarms} false alarms, {summary.nothing_to_find} with nothing to find. "
            "Which model made the scored masks, the table does not say.",
            "",
            "| score | mean | median | standard deviation |",
            "|---|---|---|---|",
            *rows,
        )
    )


def _files(model: Model, export: Export) -> str:
    return f"""\
## Files and versions

| | |
|---|---|
| `model.onnx`, SHA-256 | `{export.sha256}` |
| `weights.safetensors` that it was made of, SHA-256 | `{model.sha256}` |
| trained with | {_versions(model.record.versions)} |
| exported with | {_versions(export.versions)} |
| checked | onnxruntime and torch differ by {export.difference:.1e} at most (random patches, two sizes) |"""


def _sequences(model: Model) -> str:
    return _list(model.config.sequences)


def _list(values: tuple[object, ...]) -> str:
    *first, last = map(str, values)
    return f"{', '.join(first)} and {last}" if first else last


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def usage(model: Model) -> str:
    """Write how to whiten an image and run the exported network on it, as code."""
    is_2d = model.config.dimension == "2d"
    shape = (len(model.config.sequences), *model.record.patch_shape)
    what = "image" if model.config.whitens_images else "patch"
    return f"""\
## How to run it

In the folder of this file, with `pip install numpy onnxruntime`:

```python
import numpy as np
import onnxruntime

# Put {_WHAT[model.config.whitening]} here: (C, Z, Y, X), \
channels, orientation and slices as described above.
{what} = np.random.default_rng(0).normal(100, 20, {shape}).astype(np.float32)
{_whitening_code(model)}

session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
images = {"white.swapaxes(0, 1)  # the slices are the batch" if is_2d else "white[None]"}
(probability,) = session.run(["probability"], {{"images": images}})
probability = probability{"[:, 0]" if is_2d else "[0, 0]"}  # (Z, Y, X)
necrosis = probability >= 0.5
```
"""


def _whitening_code(model: Model) -> str:
    if model.config.whitening == "tissue":
        return _TISSUE_CODE.format(n_slices=model.record.patch_shape[0], darkest=DARKEST, brightest=BRIGHTEST)
    if model.config.whitening == "volume":
        return """\
tissue = [sequence[sequence > sequence.mean()] for sequence in image]
mean = np.array([voxels.mean() for voxels in tissue])[:, None, None, None]
spread = np.array([voxels.std() for voxels in tissue])[:, None, None, None]
# A constant sequence has no tissue: leave it at zero.
white = ((image - mean) / spread).astype(np.float32)"""
    known, middles = "patch", ""
    if model.config.dimension == "2d":
        known = "patch[np.ix_(range(len(patch)), *middles)]"
        middles = "middles = [np.minimum(np.arange(2, n + 2, 4), n - 1) for n in patch.shape[1:]]\n"
    return f"""\
{middles}known = {known}
mean = known.mean(axis=(1, 2, 3), keepdims=True)
spread = known.std(axis=(1, 2, 3), keepdims=True)
# Over infinity where a sequence is constant: it becomes zeros.
white = (patch - mean) / np.where(spread > 1e-6 * abs(mean), spread, np.inf)"""
