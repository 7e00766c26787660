"""A prediction that no network has made, and models that were never trained."""

from napari_necroseg.layerdata import case_layers

# By the case's name: what the model of `fake_prediction` knows.
KNOWN = {"trained": "image", "named": "name"}


def open_case(dock, case):
    list(dock.workspace.layers.show(case_layers(case), first_slice=0))
    dock.workspace.set_case(case, None)


def predict(qtbot, dock, job):
    job.go_on.set()
    with qtbot.waitSignal(dock.runner.finished):
        dock.start()
    qtbot.waitUntil(lambda: not dock.workspace.screen.is_busy)
