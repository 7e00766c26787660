"""Writes tensors and a record into one safetensors file, with a checksum of both in its header."""

import hashlib
from collections.abc import Mapping

import torch
from safetensors.torch import save
from torch import Tensor

from napari_necroseg.core.errors import ModelError

# In the header, beside the record; files of earlier versions have no checksum.
SEAL_KEY = "sha256"


def sealed(tensors: Mapping[str, Tensor], key: str, *, record: str) -> bytes:
    """Return the bytes of a file: tensors by name, a `record` under `key` in the header, and their SHA-256.

    The header maps strings to strings in no fixed order: hence the record is one string.
    """
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return bytes(save(kept, metadata={key: record, SEAL_KEY: _seal(kept, record)}))


def check_seal(what: str, tensors: Mapping[str, Tensor], *, metadata: Mapping[str, str], record: str) -> None:
    """Refuse tensors or a record that changed since they were written, if the file has a checksum.

    The `ModelError` begins with `what`: the kind of file, and its path.
    """
    written = metadata.get(SEAL_KEY)
    if written is not None and written != _seal(tensors, record):
        raise ModelError(
            f"{what} is damaged, or holds weights of another network: its content does not have the SHA-256 "
            "that it was written with. Restore it from a copy, or remove it and start the training anew."
        )


def _seal(tensors: Mapping[str, Tensor], record: str) -> str:
    digest = hashlib.sha256(record.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
