"""The settings of the panel switch mouse, keys and captions of the view at once, and are remembered."""

from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.panel.settings_menu import SettingsButton
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.view import View


def choose(settings, text):
    settings.fill()
    action = next(one for one in settings.menu_shown.actions() if one.text() == text)
    action.trigger()
    return action.isChecked()


def test_the_settings_switch_mouse_keys_and_captions(make_napari_viewer, make_case, qtbot):
    viewer = make_napari_viewer()
    settings, view = SettingsButton(viewer), View.of(viewer)
    qtbot.addWidget(settings)
    list(Workspace.of(viewer).layers.show(case_layers(make_case()), first_slice=2))
    numbers = viewer.window._qt_viewer.dims.slider_widgets[0].curslice_label
    names = [layer for layer in viewer.layers if layer.name in {"ceT1", "T2"}]
    assert view.reader_controls
    status = viewer.window._qt_window.statusBar()
    viewer.layers.selection.active = names[0]
    assert status._help.text().startswith("Wheel: slices")
    assert list(viewer.canvas.background_color) == [0, 0, 0, 1]
    assert (view.screen.captions.are_shown, numbers.isHidden()) == (True, True)
    assert not any(layer.name_overlay.visible for layer in names)
    assert choose(settings, "Mouse and keys of a reading workstation") is False
    assert not view.reader_controls
    assert not status._help.text().startswith("Wheel: slices")
    assert viewer.canvas.background_color_override is None
    assert choose(settings, "Captions on the images") is False
    assert (view.screen.captions.are_shown, numbers.isHidden()) == (False, False)
    assert all(layer.name_overlay.visible for layer in names)
    assert (read_remembered().reader_controls, read_remembered().captions) == (False, False)
    # What was chosen holds for the next window, too; here it is chosen back elsewhere.
    remember(reader_controls=True, captions=True)
    view.follow_choices()
    assert view.reader_controls
    assert numbers.isHidden()
