"""The bar above the images: its groups stay in order, whoever adds to them first."""

from napari_necroseg.widgets.view.view import View


def _texts(bar) -> list[str]:
    return ["|" if one.isSeparator() else one.text() for one in bar.actions() if one.isVisible()]


def test_groups_stay_in_order_and_clicks_leave_the_focus_with_the_canvas(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    bar = View.of(viewer).bar
    assert View.of(viewer).bar is bar
    before = _texts(bar)
    pressed = []
    coronal = bar.add_button("planes", "Cor-test", help_text="Coronal.", act=lambda: pressed.append("cor"))
    bar.add_button("layers", "First-test", help_text="Layers.", toggled=pressed.append)
    after = _texts(bar)
    assert [text for text in after if text in before] == before
    assert after.index("First-test") < after.index("Cor-test")
    assert "|" in after[after.index("First-test") : after.index("Cor-test")]
    assert after[-1] != "|"
    bar.button_of(coronal).click()
    assert pressed == ["cor"]


def test_a_viewer_without_a_window_has_no_bar():
    from napari.components import ViewerModel

    assert View.of(ViewerModel()).bar is None
