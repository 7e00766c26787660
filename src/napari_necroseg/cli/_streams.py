"""Writes to standard output and error, which may be closed, full or without a reader."""

import errno
import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

from napari_necroseg.core.errors import ResourceError, mistake_of

# Control characters except tab and line feed, and those that change the direction of writing: in the name of
# a case they could clear the terminal, or disguise the name.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class ReaderGoneError(Exception):
    """The program that reads the output has closed it, as `head` does after some lines."""


def printable(text: str) -> str:
    """Return the text with each control character replaced by its escape in Python."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def say(text: str) -> None:
    """Write text to standard error; if it is closed or full, the job goes on.

    Raises ReaderGoneError if nobody reads any more.
    """
    stream = sys.stderr
    with suppress(ResourceError):
        write(stream, _encodable(text, stream))


def print_record(record: Mapping[str, Any]) -> None:
    """Write a JSON object as a line to standard output, in ASCII if the encoding of the stream requires it.

    Raises ReaderGoneError if nobody reads any more. Raises ResourceError if it cannot be written.
    """
    line = json.dumps(record, ensure_ascii=False)
    # Control characters below 32 are escaped already; the others stand within strings alone.
    line = _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
    is_whole = _encodable(line, sys.stdout) == line
    write(sys.stdout, (line if is_whole else json.dumps(record)) + "\n")


def write(stream: TextIO | None, text: str) -> None:
    """Write text at once; do nothing if the stream was closed before the program began.

    Raises ReaderGoneError if nobody reads any more. Raises ResourceError if it cannot be written.
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
    """Open streams that were closed before the program began: the next file would get their messages."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def abandon_broken() -> None:
    """Drop text that could not be written, so that Python does not try again when it ends."""
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
