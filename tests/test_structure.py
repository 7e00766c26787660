"""The size of files and functions: a noun gets one chapter, and a chapter has an end."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "src" / "napari_necroseg"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES_A_FILE = 600
MOST_LINES_A_FUNCTION = 60
USUAL_LINES_A_FUNCTION = 25


def name_of(path: Path) -> str:
    """The path within the package: many files share a name, and each is looked at."""
    return path.relative_to(PACKAGE).as_posix()


def bodies() -> list[tuple[str, int]]:
    """Each function with the number of its lines, its docstring left out."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                docstring = node.body[0] if ast.get_docstring(node) else None
                extra = 0 if docstring is None else docstring.end_lineno - docstring.lineno + 1
                found.append((f"{name_of(path)}:{node.name}", node.end_lineno - node.lineno + 1 - extra))
    return found


def lengths_of(paths: list[Path]) -> dict[str, int]:
    return {path.as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}


def test_no_file_is_too_long_to_read() -> None:
    too_long = {
        name: n for name, n in lengths_of([*SOURCES, *TESTS.rglob("*.py")]).items() if n > MOST_LINES_A_FILE
    }
    assert too_long == {}


def test_nine_functions_in_ten_are_short_and_none_is_long() -> None:
    sizes = bodies()
    assert len(sizes) > 500
    short = sum(n <= USUAL_LINES_A_FUNCTION for _, n in sizes) / len(sizes)
    assert short >= 0.9
    assert [name for name, n in sizes if n > MOST_LINES_A_FUNCTION] == []


def test_every_module_says_what_it_is_for() -> None:
    trees = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []
