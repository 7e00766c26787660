"""Extensions of a NIfTI header: looked at before nibabel reads them, since it takes their size on trust."""

import gzip
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from napari_necroseg.core.errors import FileError

# Of NIfTI-1 and -2: bytes of the header, then four of which the first tells whether extensions follow, and
# where in the header the voxels' place in the file stands.
_HEADERS = {348: (108, "f"), 540: (168, "q")}
# Whole DICOM headers and processing histories stay far below.
MOST_BYTES = 1 << 26
MOST_EXTENSIONS = 1000


def check_extensions(path: Path) -> None:
    """Refuse a header whose extensions take more room than any program's.

    What is no NIfTI file, or ends too early, is left to the reader to refuse.

    Parameters
    ----------
    path
        ``.nii`` or ``.hdr``, or one of them gzipped.

    Raises
    ------
    FileError
        With what it announces.
    """
    try:
        with path.open("rb") as raw:
            is_gzip = path.name.lower().endswith(".gz")
            file: BinaryIO = gzip.GzipFile(fileobj=raw) if is_gzip else raw  # type: ignore[assignment]
            problem = _problem(file)
    except (OSError, EOFError, zlib.error, struct.error):
        return
    if problem:
        raise FileError(f"{path.name} is damaged: {problem}. Copy or export it again.")


def _problem(file: BinaryIO) -> str:
    start = file.read(4)
    orders = [order for order in "<>" if struct.unpack(f"{order}i", start)[0] in _HEADERS]
    if not orders:
        return ""
    order = orders[0]
    (size,) = struct.unpack(f"{order}i", start)
    header = start + file.read(size - len(start))
    place, kind = _HEADERS[size]
    (begin,) = struct.unpack_from(f"{order}{kind}", header, place)
    is_single = header[344:346] == b"n+" or header[4:6] == b"n+"
    if is_single and not begin <= MOST_BYTES:
        return f"its voxels are said to begin at byte {begin:.0f}"
    if not file.read(4)[:1].strip(b"\0"):
        return ""
    return _of_extensions(file, order, begin - size - 4 if is_single else MOST_BYTES)


def _of_extensions(file: BinaryIO, order: str, n_bytes: float) -> str:
    """Walk along the extensions, which take at most `n_bytes`, without keeping them."""
    for _ in range(MOST_EXTENSIONS):
        start = file.read(8) if n_bytes >= 16 else b""
        if not start:
            return ""
        (size,) = struct.unpack_from(f"{order}i", start)
        if not 8 <= size <= n_bytes:
            return f"an extension of its header is said to take {size} bytes"
        file.seek(size - len(start), 1)
        n_bytes -= size
    return f"its header has more than {MOST_EXTENSIONS} extensions"
