"""Making HTML that nobody's words can break: text is escaped unless it was made here."""

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


def image(data_uri: str, *, alt: str) -> Html:
    """Return an image that is part of the page."""
    return Html(f'<img src="{escape(data_uri)}" alt="{escape(alt)}">')
