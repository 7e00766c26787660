"""The manifest: valid, the same in both places, and every name in it leads somewhere."""

import subprocess
import sys
from pathlib import Path

import pytest
from npe2 import PluginManifest

import napari_necroseg
from napari_necroseg.core.images.file_image import NIFTI_SUFFIXES, TIFF_SUFFIXES

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
