"""Standard output and error: text that steers no terminal, for readers that may be full, closed or gone."""

import errno
import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

from napari_necroseg.core.errors import ResourceError, mistake_of

# Control characters but for tab and line feed, and those that change the direction of writing: in the name of
# a case they could clear the terminal, or show another name.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class ReaderGoneError(Exception):
    """The program that reads the output has closed it, as `head` does."""


def printable(text: str) -> str:
    """Return the text with each control character as its escape, as Python writes it."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def say(text: str) -> None:
    """Write text for people to standard error; without one, or where it is full, the job goes on.

    Raises
    ------
    ReaderGoneError
        If nobody reads any more.
    """
    stream = sys.stderr
    with suppress(ResourceError):
        write(stream, _encodable(text, stream))


def print_record(record: Mapping[str, Any]) -> None:
    """Write a JSON object as a line to standard output: in ASCII where the line has what it cannot show.

    Raises
    ------
    ReaderGoneError
        If nobody reads any more.
    ResourceError
        If it cannot be written.
    """
    line = json.dumps(record, ensure_ascii=False)
    # Control characters below 32 are escaped already; the others stand within strings alone.
    line = _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
    is_whole = _encodable(line, sys.stdout) == line
    write(sys.stdout, (line if is_whole else json.dumps(record)) + "\n")


def write(stream: TextIO | None, text: str) -> None:
    """Write text at once; nothing where the stream was closed before the program began.

    Raises
    ------
    ReaderGoneError
        If nobody reads any more.
    ResourceError
        If it cannot be written.
    """
    if stream is None or stream.closed:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # Windows calls a broken pipe an invalid argument.
        if isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL):
            raise ReaderGoneError from error
        raise ResourceError(f"The output could not be written. {mistake_of(error)}") from error


def open_missing() -> None:
    """Open what was closed before the program began: else a mask that is written would get its messages."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def abandon_broken() -> None:
    """Send what could not be written nowhere, so that Python does not try again at its end."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            with suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _encodable(text: str, stream: TextIO | None) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
