"""What is shipped: imports are declared, links of the README hold on PyPI, every public name has a page."""

import ast
import re
import sys
import tarfile
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import napari_necroseg

PACKAGE = Path(napari_necroseg.__file__).parent
ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/napari-necroseg/napari-necroseg/blob/main/"
PICTURES = "https://raw.githubusercontent.com/napari-necroseg/napari-necroseg/main/"

# What only the window needs; all the rest runs without a screen.
WITH_A_WINDOW = ("widgets", "contributions.py", "demo_window.py", "window.py")
# Modules named otherwise than their package, or that come with one.
PACKAGE_OF_MODULE = {
    "PIL": "pillow",
    "dask": "distributed",
    "llvmlite": "numba",
    "pydantic_core": "pydantic",
    "skimage": "scikit-image",
}
# Imported by no module of ours: distributed encrypts with it.
NEEDED_UNSEEN = {"cryptography"}

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="no checkout around the package"
)


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in requirements}


def imported(paths: list[Path]) -> dict[str, Path]:
    """Return the package of each import that is not Python's or ours, and a file that imports it."""
    found = {}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            for module in modules:
                top = module.partition(".")[0]
                if top not in sys.stdlib_module_names and top != "napari_necroseg":
                    found[PACKAGE_OF_MODULE.get(top, top).replace("_", "-")] = path
    return found


def modules(*, with_a_window: bool) -> list[Path]:
    return [
        path
        for path in PACKAGE.rglob("*.py")
        if (path.relative_to(PACKAGE).parts[0] in WITH_A_WINDOW) == with_a_window
    ]


def test_the_core_imports_what_is_declared_for_it(project):
    extras = project["project"]["optional-dependencies"]
    declared = names(project["project"]["dependencies"])
    optional = names(extras["cluster"] + extras["export"] + extras["figures"]) | {"numba"}
    used = imported(modules(with_a_window=False))
    assert {name: path for name, path in used.items() if name not in declared | optional} == {}
    assert declared - used.keys() == set()
    assert optional - used.keys() - NEEDED_UNSEEN == set()


def test_the_docks_import_what_is_declared_for_them(project):
    core, gui = (
        names(project["project"]["dependencies"]),
        names(project["project"]["optional-dependencies"]["gui"]),
    )
    used = imported(modules(with_a_window=True))
    assert {name: path for name, path in used.items() if name not in core | gui} == {}
    assert gui - used.keys() == set()
    assert gui & core == set()


def test_all_brings_the_window_and_what_makes_it_fast(project):
    extras = project["project"]["optional-dependencies"]
    assert "napari-necroseg[gui]" in extras["all"]
    assert any(requirement.startswith("napari[all]") for requirement in extras["all"])
    assert {"matplotlib", "numba"} <= names(extras["all"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    return ZipFile(next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])))


@pytest.fixture(scope="module")
def shown_readme(wheel) -> str:
    """The README as the package's metadata have it."""
    (path,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return wheel.read(path).decode("utf-8").partition("\n\n")[2]


def test_the_wheel_holds_every_file_of_the_package(wheel):
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert shipped == files
    for name in (
        "__init__.pyi",
        "py.typed",
        "napari.yaml",
        "icon.svg",
        "locale/de/LC_MESSAGES/napari_necroseg.mo",
        "core/study/report/templates/report.html",
    ):
        assert f"napari_necroseg/{name}" in shipped


def test_the_source_archive_holds_what_make_needs(tmp_path):
    archive = next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with tarfile.open(archive) as file:
        names_within = {name.partition("/")[2] for name in file.getnames()}
    needed = ["Makefile", "constraints.txt", "pyproject.toml", "README.md", "CHANGELOG.md", "docs/conf.py"]
    for folder in ("tools", "tests", "examples", "benchmarks", "docs"):
        needed += [path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")]
    assert [name for name in needed if name not in names_within] == []


def test_links_of_the_readme_lead_to_files_wherever_it_is_shown(shown_readme):
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", shown_readme)
    ours = [(mark, link) for mark, link in links if "napari-necroseg/napari-necroseg" in link]
    assert len(ours) >= 10
    for mark, link in ours:
        base = PICTURES if mark else REPOSITORY
        assert link.startswith(base), link
        assert (ROOT / link.removeprefix(base).partition("#")[0]).exists(), link
    elsewhere = [link for mark, link in links if (mark, link) not in ours]
    assert all(link.startswith("https://") for link in elsewhere)


def test_the_readme_has_a_picture(shown_readme):
    assert f"]({PICTURES}docs/images/" in shown_readme


def test_every_public_name_has_a_page():
    listed = re.findall(r"^   (\w+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(napari_necroseg.__all__)
