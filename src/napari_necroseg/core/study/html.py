"""Making HTML that nobody's words can break: text is escaped unless it was made here."""

from base64 import b64encode
from html import escape


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str) -> Html:
    """Return an element; children that are not `Html` are escaped.

    Parameters
    ----------
    **attributes
        Their values are escaped; a trailing underscore of a name is for Python only (``class_``).
    """
    written = "".join(f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items())
    return Html(f"<{tag}{written}>{joined(*children)}</{tag}>")


def joined(*children: str) -> Html:
    """Return the children one after the other, escaped unless they are `Html`."""
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children))


def png_image(png: bytes, *, alt: str) -> Html:
    """Return a picture that is part of the page, as wide as it would be printed at 150 dots an inch."""
    # The width stands behind the signature, and length and name of the first chunk.
    width = int.from_bytes(png[16:20]) * 96 // 150
    data = b64encode(png).decode("ascii")
    return Html(f'<img src="data:image/png;base64,{data}" width="{width}" alt="{escape(alt)}">')
