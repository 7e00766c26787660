"""Surfaces, the box of the image and the letters of the directions, drawn in napari's canvas in 3D.

They are no layers: so nothing has to be kept out of lists and files, and switching is quick, which removing a
layer of napari is not. napari has no public way to draw anything else than layers in its scene.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.volume import Grid
from napari_necroseg.layerdata import placement
from napari_necroseg.widgets.shared.case_layers import CaseLayers
from napari_necroseg.widgets.view.turn import ENDS

_BOX_COLOUR = (0.6, 0.6, 0.6, 1.0)
_LETTER_PT = 14
# Of an expert's mask, so that the mask in work is seen within it.
_SEEN_THROUGH = 0.3
_EDGE = 1
# Of red, green and blue together.
_MIDDLE = 1.5
Rgba = tuple[float, float, float, float]


class SolidScene:
    """Draws in the canvas of a viewer; does nothing without a window."""

    def __init__(self, layers: CaseLayers) -> None:
        self._layers = layers
        self._box: list[Any] = []
        self._meshes: list[Any] = []

    def show_box(self, grid: Grid) -> None:
        """Draw the box of an image, and letters on its sides."""
        scene = self._scene()
        if scene is not None:
            is_dark = sum(self._layers.viewer.canvas.background_color[:3]) < _MIDDLE
            self._box = [_box(grid, scene), _letters(grid, scene, colour="white" if is_dark else "black")]

    def show_surfaces(self, surfaces: Sequence[tuple[Any, Rgba]]) -> None:
        """Draw surfaces in place of those before: `mesh_data` and the colour of each, the opaque ones first.

        A colour that is not opaque is one of a surface to look through.
        """
        _remove(self._meshes)
        scene = self._scene()
        if scene is None:
            return
        from vispy.scene.visuals import Mesh

        for number, (data, colour) in enumerate(surfaces):
            mesh = Mesh(meshdata=data, shading="smooth", color=colour[:3], parent=scene)
            mesh.opacity = colour[3]
            mesh.order = number
            self._meshes.append(mesh)
        self.follow_camera()

    def follow_camera(self, _event: object = None) -> None:
        """Let the light come from behind the eye."""
        camera = self._layers.viewer.scene.camera
        view, up = np.array(camera.view_direction)[::-1], np.array(camera.up_direction)[::-1]
        for mesh in self._meshes:
            mesh.shading_filter.light_dir = tuple(0.5 * up - view)

    def redraw(self) -> None:
        """Draw the canvas anew: while it was kept as it was, it heard of no change."""
        window: Any = getattr(self._layers.viewer, "window", None)
        if window is not None:
            window._qt_viewer.canvas.native.update()

    def clear(self) -> None:
        """Draw nothing more."""
        _remove(self._meshes)
        _remove(self._box)

    def _scene(self) -> Any:
        window: Any = getattr(self._layers.viewer, "window", None)
        return None if window is None else window._qt_viewer.canvas.view.scene


def seen_through(colour: Rgba) -> Rgba:
    """Return the colour of a surface to look through."""
    return (*colour[:3], _SEEN_THROUGH)


def mesh_data(vertices: NDArray[np.float32], faces: NDArray[np.int64], *, grid: Grid) -> Any:
    """Return a surface for `SolidScene`, with its normals; may run in a thread.

    `vertices`: ``(N, 3)`` in voxels.
    """
    from vispy.geometry import MeshData

    made = MeshData(vertices=_scene_mm(vertices, grid), faces=faces.astype(np.uint32))
    made.get_vertex_normals(indexed="faces")
    return made


def _scene_mm(index: NDArray[Any], grid: Grid) -> NDArray[np.float32]:
    """Return places in the scene, in mm: napari counts columns, rows and slices there."""
    place = placement(grid)
    return np.asarray(place["translate"] + index * np.asarray(place["scale"]), dtype=np.float32)[:, ::-1]


def _box(grid: Grid, scene: Any) -> Any:
    from vispy.scene.visuals import Line

    corners = np.array(list(np.ndindex(2, 2, 2)))
    edges = [pair for pair in combinations(range(len(corners)), 2) if _differ_once(corners, *pair)]
    # From edge to edge of the outermost voxels, not from centre to centre.
    index = corners * np.array(grid.shape) - 0.5
    ends = np.concatenate([index[list(pair)] for pair in edges])
    return Line(pos=_scene_mm(ends, grid), color=_BOX_COLOUR, connect="segments", parent=scene)


def _differ_once(corners: NDArray[Any], *pair: int) -> bool:
    one, other = pair
    return int((corners[one] != corners[other]).sum()) == _EDGE


def _letters(grid: Grid, scene: Any, *, colour: str) -> Any:
    """Write the directions on the sides; right and left at the lower front edge, clear of the surface."""
    from vispy.scene.visuals import Text

    last = np.array(grid.shape, dtype=np.float64) - 1
    places, texts = [], []
    for axis, ends in ENDS.items():
        for end, letter in enumerate(ends):
            place = last / 2 if axis else last * (0, 1, 0)
            place[axis] = end * last[axis]
            places.append(place)
            texts.append(letter)
    text = Text(text=texts, pos=_scene_mm(np.array(places), grid), color=colour, parent=scene)
    text.font_size = _LETTER_PT
    text.order = len(texts)
    return text


def _remove(visuals: list[Any]) -> None:
    for visual in visuals:
        visual.parent = None
    visuals.clear()
