import gzip
import zlib

import pytest

from napari_necroseg.core.images.nifti import inflated

CONTENT = bytes(range(256)) * 40


def test_one_member_several_and_padding_are_read() -> None:
    packed = gzip.compress(CONTENT)
    assert inflated(packed, most_bytes=len(CONTENT)) == CONTENT
    assert inflated(packed + packed, most_bytes=2 * len(CONTENT)) == CONTENT * 2
    assert inflated(packed + bytes(512), most_bytes=len(CONTENT)) == CONTENT


def test_a_wrong_checksum_a_cut_and_too_much_are_refused() -> None:
    packed = bytearray(gzip.compress(CONTENT))
    with pytest.raises(EOFError):
        inflated(bytes(packed[:-4]), most_bytes=len(CONTENT))
    with pytest.raises(EOFError):
        inflated(bytes(packed), most_bytes=len(CONTENT) - 1)
    packed[-6] ^= 1
    with pytest.raises(zlib.error):
        inflated(bytes(packed), most_bytes=len(CONTENT))
