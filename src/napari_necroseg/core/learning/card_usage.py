"""The end of a model card: code that runs the exported network, with numpy and onnxruntime alone."""

from napari_necroseg.core.learning.checkpoint import Model
from napari_necroseg.core.tissue import BRIGHTEST, DARKEST

_WHAT = {
    "patch": "a patch of your case",
    "volume": "your whole image",
    "tissue": "your whole image, not interpolated to slices yet,",
}


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
