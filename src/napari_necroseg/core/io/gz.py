"""Gzip in one piece, checked to its end: nibabel stops before the checksum, and so reads damaged voxels."""

import zlib

# gzip's framing rather than zlib's, see zlib.decompressobj.
_GZIP_WINDOW = 31


def inflated(data: bytes, *, most_bytes: int) -> bytes:
    """Decompress a whole gzip file, of one member or several.

    Parameters
    ----------
    data
        The content of the file.
    most_bytes
        What the content can hold at most; a file that inflates to more is damaged or hostile.

    Raises
    ------
    EOFError
        If the file ends too early, or holds more than `most_bytes`.
    zlib.error
        If a checksum does not fit.
    """
    parts: list[bytes] = []
    left = most_bytes
    while data:
        inflater = zlib.decompressobj(_GZIP_WINDOW)
        parts.append(inflater.decompress(data, left + 1))
        left -= len(parts[-1])
        if left < 0 or not inflater.eof:
            raise EOFError("the compressed data end too early or hold too much")
        # Some writers pad the file with zeros.
        data = inflater.unused_data.lstrip(b"\0")
    return parts[0] if len(parts) == 1 else b"".join(parts)
