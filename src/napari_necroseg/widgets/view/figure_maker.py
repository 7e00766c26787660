"""The figure button: gathers what is shown, asks for a file, and draws and writes it in a thread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_error, show_info
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QPointF, QRect, QRectF
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_necroseg.core.case_names import named_file
from napari_necroseg.core.files import write_bytes
from napari_necroseg.core.language import tr
from napari_necroseg.core.scoring.overlap import count, dice
from napari_necroseg.layerdata import Role, source_of
from napari_necroseg.widgets.shared.case_layers import EXPERT_ROLES
from napari_necroseg.widgets.shared.plane import shown_axis
from napari_necroseg.widgets.shared.worker import NewestOnly
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.contours import colour_of, in_order, short_names, visible_contours
from napari_necroseg.widgets.view.figure import Figure, Kind, Measured, Named, Panel, drawn
from napari_necroseg.widgets.view.plane_picture import PlanePicture, picture_of
from napari_necroseg.widgets.view.ruler import Ruler
from napari_necroseg.widgets.view.three_planes import ThreePlanes
from napari_necroseg.widgets.view.turn import ENDS, ORDERS, edge_letters, plane_title

PRINT_DPI, SCREEN_DPI = 300, 120
_IN_MIDDLE_MM = 0.5
_SUFFIXES: dict[Kind, str] = {"png": ".png", "svg": ".svg"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Gathered:
    """What goes into a figure, copied, so that it can be drawn in a thread."""

    title: str
    panels: Sequence[Panel]
    # Name, colour, voxels, and whether it is scored against the reference.
    masks: Sequence[tuple[str, QColor, NDArray[np.bool_], bool]]
    reference: NDArray[np.bool_] | None
    voxel_ml: float


class FigureMaker(QObject):
    """Makes figures of what is shown, and says what became of them."""

    def __init__(
        self, workspace: Workspace, three_planes: ThreePlanes, *, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace, self._three_planes = workspace, three_planes
        # A line that was measured is drawn, too.
        self.ruler: Ruler | None = None
        self._work = NewestOnly(self, thread="necroseg-figure")
        self._work.done.connect(self._on_written)
        self._work.failed.connect(self._on_failed)
        self.stop = self._work.stop_flag()

    @property
    def is_busy(self) -> bool:
        """Whether a figure is being written."""
        return self._work.is_busy

    def ask(self) -> None:
        """Ask for a file, and write the figure into it."""
        gathered = self.gathered()
        if gathered is None:
            show_info(tr("Open a case first: there is nothing to draw."))
            return
        parent = self.parent()
        chosen = ask_file(parent if isinstance(parent, QWidget) else None, self.usual_path())
        if chosen is not None:
            path, dpi = chosen
            self.write(gathered, path, dpi=dpi)

    def write(self, gathered: Gathered, path: Path, *, dpi: int) -> None:
        """Draw and write a figure in a thread; the ending of the name says which kind of file."""
        self._work.ask(partial(_written, gathered, path, dpi=dpi))

    def usual_path(self) -> Path:
        """Return the offered file: named by the case, plane and slice, and by nothing else."""
        case, index = self._workspace.case, self._workspace.cross_hair.index
        axis = shown_axis(self._workspace.layers.viewer) or 0
        assert case is not None, "a case is open"
        files = self._workspace.input_files
        folder = self._workspace.case_folder or (files[0].parent if files else Path.home())
        number = (index or (0, 0, 0))[axis] + 1
        return named_file(folder, f"{case.name}_{plane_title(axis).lower()}_{number}.png")

    def gathered(self) -> Gathered | None:
        """Return what is shown now; None without a case."""
        case, layers = self._workspace.case, self._workspace.layers
        panels = self._panels()
        if case is None or not panels:
            return None
        shown = in_order(reversed(visible_contours(layers)))
        references = [one for one in layers.find(case.name, [Role.REFERENCE]) if np.any(_voxels(one))]
        masks = [
            (name, colour_of(layer), np.asarray(layer.data != 0), _role(layer) not in EXPERT_ROLES)
            for name, layer in zip(short_names(shown), shown, strict=True)
            if layer.data.shape == case.grid.shape and np.any(layer.data)
        ]
        return Gathered(
            title=case.name,
            panels=panels,
            masks=masks,
            reference=np.asarray(_voxels(references[0]) != 0) if references else None,
            voxel_ml=case.grid.voxel_ml,
        )

    def _panels(self) -> list[Panel]:
        """Return the planes that are shown: of both sequences, or all three of one."""
        index, three = self._workspace.cross_hair.index, self._three_planes
        axis = shown_axis(self._workspace.layers.viewer) or 0
        if index is None:
            return []
        if not three.is_on:
            images = [one for one in three.images() if self._workspace.layers.aside.is_shown(one)]
            return [self._panel(image, axis, part=self._seen) for image in images]
        image = three.image
        if image is None:
            return []
        sides = [self._panel(image, pane.axis, part=pane.part_mm) for pane in three.panes]
        return [self._panel(image, axis, part=self._seen), *sides]

    def _panel(self, image: Image, axis: int, *, part: Callable[[PlanePicture], QRectF]) -> Panel:
        index = self._workspace.cross_hair.index or (0, 0, 0)
        picture = picture_of(self._workspace.layers, image, axis=axis, number=index[axis])
        total = image.data.shape[axis]
        caption = tr(
            "{sequence}, {plane}, slice {number} of {total}, {place}",
            sequence=str(_role(image) or image.name),
            plane=plane_title(axis).lower(),
            number=index[axis] + 1,
            total=total,
            place=_place(axis, (index[axis] - (total - 1) / 2) * abs(float(image.scale[axis]))),
        )
        pixels = _pixels(part(picture), picture)
        return Panel(
            picture=picture.cropped(pixels),
            caption=caption,
            letters=edge_letters(axis),
            lines=self._measured(image, axis, start=pixels),
        )

    def _measured(self, image: Image, axis: int, *, start: QRect) -> list[Measured]:
        """Return the ruler's line on a plane, in pixels from the upper left one of its picture."""
        ruler = self.ruler
        if ruler is None or not ruler.is_shown or ruler.line is None or ruler.line.plane is None:
            return []
        _, down, right = ORDERS[axis]
        if ruler.line.plane.axis != axis:
            return []
        ends = [np.asarray(image.world_to_data(point)) + 0.5 for point in (ruler.line.start, ruler.line.end)]
        first, last = (QPointF(end[right] - start.left(), end[down] - start.top()) for end in ends)
        return [Measured(start=first, end=last, text=tr("{length:.1f} mm", length=ruler.length_mm))]

    def _seen(self, picture: PlanePicture) -> QRectF:
        """Return which part of a slice the canvas shows, in mm from its upper left corner."""
        height_mm, width_mm = picture.size_mm
        whole = QRectF(0, 0, width_mm, height_mm)
        viewer, layer = self._workspace.layers.viewer, self._workspace.cross_hair.layer()
        if layer is None or viewer.dims.ndisplay != 2:
            return whole
        _, down, right = ORDERS[shown_axis(viewer) or 0]
        camera = viewer.scene.camera
        height, width = (float(n) / camera.zoom for n in viewer.canvas.viewbox_size(viewer.layers))
        middle_y, middle_x = (float(place) for place in camera.center[-2:])
        left = middle_x - width / 2 - layer.translate[right] + picture.pixel_mm[1] / 2
        top = middle_y - height / 2 - layer.translate[down] + picture.pixel_mm[0] / 2
        seen = QRectF(left, top, width, height).intersected(whole)
        return seen if min(seen.width(), seen.height()) > 1 else whole

    def _on_written(self, path: Path) -> None:
        # The name first: napari shows the beginning of a long message.
        show_info(tr("Figure saved: {name}\nin {folder}", name=path.name, folder=path.parent))

    def _on_failed(self, message: str) -> None:
        show_error(message)


def ask_file(parent: QWidget | None, start: Path) -> tuple[Path, int] | None:
    """Ask for the file and kind of a figure; return the file and the dots an inch."""
    kinds = {
        tr("Picture for print, {dpi} dpi (*.png)", dpi=PRINT_DPI): (".png", PRINT_DPI),
        tr("Picture for the screen (*.png)"): (".png", SCREEN_DPI),
        tr("Drawing with lines and text (*.svg)"): (".svg", PRINT_DPI),
    }
    title = tr("Save the figure")
    name, kind = QFileDialog.getSaveFileName(parent, title, str(start), ";;".join(kinds))
    if not name:
        return None
    suffix, dpi = kinds.get(kind, (".png", PRINT_DPI))
    path = Path(name)
    if path.suffix.lower() not in _SUFFIXES.values():
        path = path.with_name(path.name + suffix)
    elif path == start and path.suffix != suffix:
        # Another kind was chosen, and the offered name was left as it is.
        path = path.with_suffix(suffix)
    return path, dpi


def figure_of(gathered: Gathered) -> Figure:
    """Return the figure, with volumes and, where there is a reference, scores."""
    legend = []
    is_scored = False
    for name, colour, mask, is_candidate in gathered.masks:
        volume = np.count_nonzero(mask) * gathered.voxel_ml
        text = tr("{name}: {volume:.2f} mL", name=name, volume=volume)
        if is_candidate and gathered.reference is not None:
            is_scored = True
            score = dice(count(gathered.reference, mask))
            text = tr("{name}: {volume:.2f} mL, Dice {dice:.2f}", name=name, volume=volume, dice=score)
        legend.append(Named(text=text, colour=colour))
    lines = (tr("Dice: overlap with the reference; 1.00 is the same."),) if is_scored else ()
    return Figure(title=gathered.title, panels=gathered.panels, legend=legend, lines=lines)


def _written(gathered: Gathered, path: Path, *, dpi: int) -> Path:
    """Draw and write a figure; runs in a thread."""
    kind: Kind = "svg" if path.suffix.lower() == _SUFFIXES["svg"] else "png"
    write_bytes(path, drawn(figure_of(gathered), kind, dpi=dpi))
    return path


def _place(axis: int, off_mm: float) -> str:
    """Say on which side of the middle a slice lies."""
    if abs(off_mm) < _IN_MIDDLE_MM:
        return tr("in the middle")
    return tr("{letter} {distance:.0f} mm", letter=ENDS[axis][off_mm > 0], distance=abs(off_mm))


def _pixels(part_mm: QRectF, picture: PlanePicture) -> QRect:
    """Return the pixels of a part of a slice, whole ones."""
    down_mm, across_mm = picture.pixel_mm
    left, top = round(part_mm.left() / across_mm), round(part_mm.top() / down_mm)
    right = round((part_mm.left() + part_mm.width()) / across_mm)
    bottom = round((part_mm.top() + part_mm.height()) / down_mm)
    return QRect(left, top, max(1, right - left), max(1, bottom - top))


def _voxels(layer: Any) -> NDArray[Any]:
    return np.asarray(layer.data)


def _role(layer: Any) -> Role | None:
    source = source_of(layer.metadata)
    return None if source is None else source.role
