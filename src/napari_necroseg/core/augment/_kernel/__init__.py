"""Makes samples by compiled code on the CPU; on a GPU, or without numba, it leaves them to torch."""

from collections.abc import Sequence
from importlib.util import find_spec

from torch import Tensor

from napari_necroseg.core.augment.mapping import Drawn, Mapping
from napari_necroseg.core.augment.source import Source


def make_samples(
    sources: Sequence[Source], draws: Sequence[Drawn], mapped: Mapping
) -> tuple[Tensor, Tensor] | None:
    """Return images ``(B, C, *S)``, whitened, and target ``(B, *S)``; None where torch has to make them.

    numba comes with ``napari[all]``; torch takes three to four times as long.
    """
    if sources[0].padded.device.type != "cpu" or find_spec("numba") is None:
        return None
    from napari_necroseg.core.augment._kernel import engine

    return engine.make_samples(sources, draws, mapped)
