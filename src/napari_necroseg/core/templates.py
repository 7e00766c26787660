"""Fills the text templates of the program: its HTML pages and its model cards."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.ext import Extension


class _Indented(Extension):
    """Lets an HTML template be indented and broken into lines without a trace in the page."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: PLR0917  # Jinja's order
        """Join the lines of a template, without the blanks around each."""
        if name is None or not name.endswith(".html"):
            return source
        return "".join(line.strip() for line in source.splitlines())


def render(folder: Path, name: str, **values: object) -> str:
    """Fill a template.

    Values put into HTML are escaped, so that nobody's words can break a page; in other files they stay as is.

    `folder`: with the template, and others that it includes. `name`: of its file. `**values`: by the names
    that the template has for them; one that it misses is an error.
    """
    return _environment(folder).get_template(name).render(**values)


@cache
def _environment(folder: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        extensions=[_Indented],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
