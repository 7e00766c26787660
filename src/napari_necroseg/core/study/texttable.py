"""A table of text, in the forms in which papers and people read it: Markdown, LaTeX, HTML."""

import re
from dataclasses import dataclass
from itertools import groupby

from napari_necroseg.core.case_names import in_markdown
from napari_necroseg.core.study.html import Html, element

# LaTeX numbers tables itself.
_NUMBER = re.compile(r"^Table \d+\. ")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "∞": r"$\infty$",
    "−": r"$-$",
    "²": r"\textsuperscript{2}",
}


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table: what it shows, names of its columns, rows of as many cells, and what to know of it.

    The first `labels` columns name what a row is; the others are numbers.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    labels: int = 1


def as_markdown(table: TextTable) -> str:
    """Return the table in Markdown, its title in bold above and its notes below."""
    rule = ["---"] * table.labels + ["---:"] * (len(table.columns) - table.labels)
    lines = [
        _markdown_row(table.columns),
        f"|{'|'.join(rule)}|",
        *map(_markdown_row, _without_repeats(table)),
    ]
    notes = [f"{in_markdown(note)}\n" for note in table.notes]
    return "\n".join([f"**{in_markdown(table.title)}**\n", *lines, "", *notes])


def as_latex(table: TextTable) -> str:
    """Return the table in LaTeX, which needs no package."""
    title = _NUMBER.sub("", table.title)
    alignment = "l" * table.labels + "r" * (len(table.columns) - table.labels)
    rows = "\n".join(map(_latex_row, _without_repeats(table)))
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex(' '.join((f'{title}.', *table.notes)))}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\hline",
            _latex_row(table.columns),
            r"\hline",
            rows,
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def as_html(table: TextTable) -> Html:
    """Return the table in HTML, in a box that scrolls where it is too wide."""
    cells = (
        element("th", name, scope="col", class_="label" if place < table.labels else "number")
        for place, name in enumerate(table.columns)
    )
    head = element("thead", element("tr", *cells))
    body = element("tbody", *_html_rows(table))
    notes = (element("p", note, class_="note") for note in table.notes)
    whole = element("table", element("caption", table.title), head, body)
    return element("div", whole, *notes, class_="wide")


def _html_rows(table: TextTable) -> list[Html]:
    """Rows whose first cells are the same share one that is as high as they are together."""
    rows = []
    for first, group in groupby(table.rows, key=lambda row: row[0]):
        members = list(group)
        shared = element("th", first, scope="rowgroup", rowspan=str(len(members)))
        for place, row in enumerate(members):
            cells = [_html_cell(table, *cell) for cell in enumerate(row)][1:]
            rows.append(element("tr", *([shared] if place == 0 else []), *cells))
    return rows


def _html_cell(table: TextTable, place: int, text: str) -> Html:
    return element("th", text) if place < table.labels else element("td", text)


def _without_repeats(table: TextTable) -> list[tuple[str, ...]]:
    """Leave a first cell empty that says the same as the one above it."""
    firsts = [None, *(row[0] for row in table.rows)]
    return [
        ("" if row[0] == above else row[0], *row[1:]) for above, row in zip(firsts, table.rows, strict=False)
    ]


def _markdown_row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(in_markdown, cells))} |"


def _latex_row(cells: tuple[str, ...]) -> str:
    return " & ".join(map(_latex, cells)) + r" \\"


def _latex(text: str) -> str:
    return " ".join("".join(_LATEX.get(char, char) for char in text).split())
