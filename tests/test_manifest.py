"""The manifest: valid, the same in both places, and every name in it leads somewhere."""

import subprocess
import sys
from pathlib import Path

import pytest
from npe2 import PluginManifest

import napari_necroseg
from napari_necroseg.core.images.file_image import NIFTI_SUFFIXES, TIFF_SUFFIXES
from napari_necroseg.widgets import check_napari

PACKAGE = Path(napari_necroseg.__file__).parent
MANIFEST = PACKAGE / "napari.yaml"
ROOT = Path(__file__).parents[1]
WIDGET_MODULES = sorted(
    ".".join(path.relative_to(PACKAGE / "widgets").with_suffix("").parts)
    for path in (PACKAGE / "widgets").rglob("*.py")
    if path.stem != "__init__"
)


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def test_is_valid_and_names_the_plugin(manifest):
    manifest.validate_imports()
    assert manifest.name == "napari-necroseg"
    assert manifest.display_name == "Necrosis segmentation"


def test_the_hub_finds_it_by_category_and_shows_its_icon(manifest):
    assert "Segmentation" in manifest.categories
    package, _, name = manifest.icon.partition(":")
    assert package == "napari_necroseg"
    assert (PACKAGE / name).read_text(encoding="utf-8").startswith("<svg ")


@pytest.mark.parametrize("installed", ["0.9.0", "0.9.2", "0.10.0rc1", "1.0.0"])
def test_docks_open_in_a_new_napari(installed):
    check_napari(installed)


def test_docks_tell_an_older_napari_what_they_need():
    with pytest.raises(ImportError) as error:
        check_napari("0.6.6")
    assert str(error.value) == (
        "The docks of napari-necroseg need napari 0.9 or newer, and this is napari 0.6.6; "
        'update it with: pip install --upgrade "napari[all]>=0.9"'
    )


def test_docks_without_napari_tell_how_to_get_it():
    with pytest.raises(ImportError, match="not installed; install it with: pip install"):
        check_napari(None)


def test_every_command_leads_to_something_callable(manifest):
    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        __import__(module)
        assert callable(getattr(sys.modules[module], name)), command.id


def test_every_contribution_names_a_command_that_exists(manifest):
    ids = {command.id for command in manifest.contributions.commands}
    contributions = manifest.contributions
    parts = [
        *contributions.widgets,
        *contributions.readers,
        *contributions.writers,
        *contributions.sample_data,
    ]
    assert {part.command for part in parts} == ids


def test_the_root_manifest_is_a_link_to_that_of_the_package():
    root = ROOT / "napari.yaml"
    if not root.exists():
        pytest.skip("no checkout around the package")
    assert root.is_symlink()
    assert not Path(root.readlink()).is_absolute()
    assert root.read_bytes() == MANIFEST.read_bytes()


def test_the_reader_is_offered_for_every_kind_of_file_that_can_be_read(manifest):
    (reader,) = manifest.contributions.readers
    for suffix in NIFTI_SUFFIXES + TIFF_SUFFIXES:
        assert any(Path(f"image{suffix}").match(pattern) for pattern in reader.filename_patterns), suffix


def test_no_widget_module_loads_torch_or_nibabel():
    code = (
        "import importlib, sys\n"
        "for module in sys.argv[1:]:\n"
        "    importlib.import_module(f'napari_necroseg.widgets.{module}')\n"
        "    heavy = {'torch', 'nibabel'} & set(sys.modules)\n"
        "    if heavy: sys.exit(f'{module} loads {heavy}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *WIDGET_MODULES], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
