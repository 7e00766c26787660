"""What tests of the dock Correct do again and again: open a case, draw, sign off."""

import numpy as np

from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.labels_folder import journal_path
from napari_necroseg.core.project.journal import recover
from napari_necroseg.core.volume import Volume
from napari_necroseg.layerdata import Role, case_layers, case_source, mask_layer, probability_layer


def show(dock, files):
    case = load_case(files)
    layers = dock.workspace.layers
    list(layers.show(case_layers(case), first_slice=2))
    dock.workspace.set_case(case, files)
    moved = Volume(np.roll(case.reference.voxels, 2, axis=1), case.grid)
    doubt = np.zeros(case.grid.shape, np.float16)
    doubt[3], doubt[1] = 0.4, 0.2
    layers.add(
        probability_layer(Volume(doubt, case.grid), case_source(case, Role.UNCERTAINTY), name="uncertainty"),
        is_saved=True,
    )
    layers.add(
        mask_layer(moved, case_source(case, Role.PREDICTION, run="run"), name="prediction"), is_saved=False
    )
    return case


def start(_qtbot, dock):
    """The mask that is in hand since the case was opened; one can draw at once."""
    assert dock.hand.mask is not None
    return dock.hand.mask


def begin_with(dock, title):
    """Choose from the menu what the mask begins anew with."""
    dock.offer_beginnings()
    next(action for action in dock.anew_menu.actions() if title in action.text()).trigger()


def labels_of(dock):
    return dock.workspace.folder / "labels"


def written(dock):
    """The mask as the journal has it, once all is on disk."""
    mask = dock.hand.mask
    if dock.workspace.journalling.of(dock.hand.mask) is None:
        return None
    dock.workspace.journalling.of(dock.hand.mask).writer.wait(60)
    path = journal_path(labels_of(dock), dock.workspace.case.name)
    return recover(
        path, np.zeros(mask.data.shape, np.uint8), case=dock.workspace.case.name, any_base=True
    ).voxels


def end(dock):
    """Let go of the mask, and of the case, and wait until all is on disk."""
    dock._let_go()
    dock.hand.wait()
    writers = list(dock.workspace.journalling._writers)
    dock.workspace.journalling.leave()
    for writer in writers:
        writer.wait(60)


def sign_off(qtbot, dock, initials="AB"):
    dock.reviewing.part.initials.setText(initials)
    with qtbot.waitSignal(dock.runner.finished):
        dock.reviewing.part.sign_button.click()
    qtbot.waitUntil(lambda: not dock.reviewing._quiet.is_busy)
