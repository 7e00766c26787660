"""A metastasis in one vertebra, and the necrosis that ablation left in and about it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.phantom.anatomy import Field, Points, Spine, Tissue, Triple, Vertebra
from napari_necroseg.core.phantom.scanner import Canvas, body_distances

Mask = NDArray[np.bool_]
Axis = NDArray[np.float64]
Point = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Needle:
    """An active needle tip, in the vertebra's own axes (u, v, w; mm)."""

    # End of the needle, and where it enters the body through the pedicle.
    tip_mm: Point
    entry_mm: Point
    # Of the zone about the active part, which ends at the tip.
    radius_mm: float
    half_length_mm: float


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """The metastasis and its treatment, in one vertebra of the segment."""

    level: int  # Index of the vertebra
    # Centre (u, v, w) and radius of the balls whose union is the metastasis.
    blobs: tuple[tuple[Point, float], ...]
    sclerotic_share: float  # 0 lytic, 1 sclerotic, between them mixed
    needles: tuple[Needle, ...]
    rim_mm: float
    # Whether marrow about the zone is swollen, and whether blood lies in its middle.
    has_oedema: bool
    has_haematoma: bool


@dataclass(frozen=True, kw_only=True)
class Distractor:
    """A harmless structure of similar brightness, in another vertebra."""

    level: int
    kind: Tissue
    centre_mm: Point
    radius_mm: float


def draw_lesion(generator: np.random.Generator, spine: Spine, *, in_view: tuple[int, ...]) -> Lesion:
    """Draw a metastasis and one to three needles in one of the vertebrae in view."""
    level = int(generator.choice(in_view[1:-1]))
    vertebra = spine.vertebrae[level]
    side = float(generator.choice((-1.0, 1.0)))
    focus = _point_in_body(generator, vertebra, side=side)
    blobs = [(focus, generator.uniform(8.5, 12.5))]
    for _ in range(int(generator.integers(1, 4))):
        shift = generator.normal(0, 6, 3)
        centre = (focus[0] + shift[0] * 0.6, focus[1] + shift[1], focus[2] + shift[2])
        blobs.append((centre, generator.uniform(5, 9)))
    kind = generator.random()
    return Lesion(
        level=level,
        blobs=tuple(blobs),
        sclerotic_share=0.0 if kind < 0.4 else 1.0 if kind < 0.65 else float(generator.uniform(0.3, 0.7)),
        needles=tuple(
            _draw_needle(generator, vertebra, focus=focus, side=side * (1 if n == 0 else -1))
            for n in range(1 + int(generator.random() < 0.35))
        ),
        rim_mm=generator.uniform(1.0, 2.4),
        has_oedema=bool(generator.random() < 0.5),
        has_haematoma=bool(generator.random() < 0.3),
    )


def draw_distractors(
    generator: np.random.Generator, spine: Spine, *, in_view: tuple[int, ...], lesion: Lesion
) -> tuple[Distractor, ...]:
    """Draw up to four haemangiomas, cement plugs, inflamed endplates and untreated metastases."""
    kinds = (Tissue.HAEMANGIOMA, Tissue.CEMENT, Tissue.MODIC_1, Tissue.LYTIC, Tissue.SCLEROTIC)
    levels = [level for level in in_view if level != lesion.level]
    chosen = generator.choice(levels, size=min(len(levels), int(generator.integers(1, 5))), replace=False)
    return tuple(
        Distractor(
            level=int(level),
            kind=tuple(Tissue)[int(generator.choice(kinds))],
            centre_mm=_point_in_body(
                generator, spine.vertebrae[level], side=float(generator.choice((-1, 1)))
            ),
            radius_mm=generator.uniform(5, 10),
        )
        for level in chosen
    )


def paint_distractor(canvas: Canvas, vertebra: Vertebra, *, distractor: Distractor, wobble: Field) -> None:
    """Paint a distractor into the marrow of its vertebra."""
    u, _, w = local = vertebra.local(canvas.points)
    waves = 1.2 * wobble.at((canvas.x / 2, canvas.y / 2, canvas.z / 2))
    if distractor.kind is Tissue.MODIC_1:
        # Inflamed marrow lies along the endplate, on the side of the disc.
        place = (u < -vertebra.half_height_mm + 7 + waves) & (np.abs(w) < 12)
    else:
        place = _ball(local, centre=distractor.centre_mm, radius=distractor.radius_mm) + waves < 0
    canvas.tissues[place & (canvas.tissues == Tissue.MARROW)] = distractor.kind


def paint_lesion(
    canvas: Canvas, vertebra: Vertebra, *, lesion: Lesion, spine: Spine, wobble: Field
) -> tuple[Mask, Mask]:
    """Paint metastasis, oedema, rim, necrosis and tracks; return the masks of necrosis and metastasis."""
    local = vertebra.local(canvas.points)
    waves = wobble.at((canvas.x / 2.5, canvas.y / 2.5, canvas.z / 2.5))
    wall, endplate = body_distances(vertebra, local)
    bone = np.maximum(wall, endplate)
    is_bone = np.isin(canvas.tissues, (Tissue.MARROW, Tissue.HAEMANGIOMA)) & (bone < 1.0)
    tumour = (_metastasis(lesion, local) + 1.4 * waves < 0) & (bone < -0.3)
    # A zone that reaches the wall of the bone includes its destroyed cortex.
    zone = _zone(lesion, local) + 1.1 * waves + _cooling_mm(vertebra, spine, local=local)
    zone = np.maximum(zone, bone + 0.6)
    _paint_tumour(canvas, tumour, lesion=lesion, wobble=wobble)
    if lesion.has_oedema:
        swollen = (zone < 6 + 2 * waves) & (canvas.tissues == Tissue.MARROW) & is_bone
        canvas.tissues[swollen] = Tissue.OEDEMA
    rim = (zone < lesion.rim_mm) & (bone < -0.5)
    canvas.tissues[rim] = Tissue.RIM
    necrosis = zone < 0
    canvas.tissues[necrosis] = Tissue.NECROSIS
    if lesion.has_haematoma:
        canvas.tissues[zone < -5 + 1.5 * waves] = Tissue.HAEMATOMA
    _paint_tracks(canvas, lesion, local=local)
    return necrosis, tumour


def _point_in_body(generator: np.random.Generator, vertebra: Vertebra, *, side: float) -> Point:
    """A point of the body, off its middle to one side."""
    return (
        float(generator.uniform(-0.3, 0.3)) * vertebra.half_height_mm,
        float(generator.uniform(-0.45, 0.35)) * vertebra.half_depth_mm,
        side * float(generator.uniform(0.05, 0.5)) * vertebra.half_width_mm,
    )


def _draw_needle(generator: np.random.Generator, vertebra: Vertebra, *, focus: Point, side: float) -> Needle:
    """A needle through the pedicle on one side, whose active part lies in the metastasis."""
    aim = generator.normal(0, 2.0, 3)
    return Needle(
        tip_mm=(focus[0] + aim[0], focus[1] + abs(aim[1]) + 4, focus[2] + aim[2]),
        entry_mm=(
            0.4 * vertebra.half_height_mm,
            -vertebra.half_depth_mm,
            side * 0.66 * vertebra.half_width_mm,
        ),
        radius_mm=generator.uniform(7.5, 11.5),
        half_length_mm=generator.uniform(10, 15),
    )


def _metastasis(lesion: Lesion, local: Triple) -> Points:
    distances = [_ball(local, centre=centre, radius=radius) for centre, radius in lesion.blobs]
    return np.asarray(np.minimum.reduce(distances))


def _zone(lesion: Lesion, local: Triple) -> Points:
    """Distance from the nearest of the zones: an ellipsoid about each needle's active part."""
    return np.asarray(np.minimum.reduce([_ellipsoid(needle, local) for needle in lesion.needles]))


def _ellipsoid(needle: Needle, local: Triple) -> Points:
    tip, axis, _ = _line(needle)
    along, across = _from_needle(axis, tip - axis * (needle.half_length_mm - 4), local=local)
    scaled = np.hypot(along / needle.half_length_mm, across / needle.radius_mm)
    return np.asarray((scaled - 1) * needle.radius_mm)


def _cooling_mm(vertebra: Vertebra, spine: Spine, *, local: Triple) -> Points:
    """How much flowing blood and fluid shorten the zone: by up to 4 mm at the sac and at the vena cava."""
    depth, (_, v, w) = np.float32(vertebra.half_depth_mm), local
    to_sac = np.maximum(v + depth, 0) + np.maximum(np.abs(w) - np.float32(spine.sac_half_width_mm), 0)
    to_vein = np.hypot(np.maximum(depth - v, 0), np.maximum(np.abs(w - 13) - 9, 0))
    return np.asarray(4 * np.exp(-to_sac / 5) + 3 * np.exp(-to_vein / 5), dtype=np.float32)


def _paint_tumour(canvas: Canvas, tumour: Mask, *, lesion: Lesion, wobble: Field) -> None:
    canvas.tissues[tumour] = Tissue.LYTIC
    # Patches of new bone: the share of them grows with the threshold on a field of standard deviation 1.
    limit = -3.0 + 6.0 * lesion.sclerotic_share
    patches = wobble.at((canvas.x / 1.6 + 30, canvas.y / 1.6, canvas.z / 1.6)) < limit
    canvas.tissues[tumour & patches] = Tissue.SCLEROTIC


def _paint_tracks(canvas: Canvas, lesion: Lesion, *, local: Triple) -> None:
    """The channel of each needle, from the muscles to the tip."""
    for needle in lesion.needles:
        _, axis, reach = _line(needle)
        along, across = _from_needle(axis, np.asarray(needle.entry_mm), local=local)
        track = (across < 1.1) & (along > -32) & (along < reach)
        solid = canvas.tissues != Tissue.NECROSIS
        canvas.tissues[track & solid] = Tissue.TRACK


def _line(needle: Needle) -> tuple[Axis, Axis, float]:
    """Return the tip of a needle, its direction, and its length within the body."""
    tip, entry = np.asarray(needle.tip_mm), np.asarray(needle.entry_mm)
    reach = float(np.linalg.norm(tip - entry))
    return tip, (tip - entry) / reach, reach


def _from_needle(axis: Axis, start: Axis, *, local: Triple) -> tuple[Points, Points]:
    """Return how far points lie along a line, from its start on, and beside it."""
    (a, b, c), (u0, v0, w0) = axis.astype(np.float32), start.astype(np.float32)
    u, v, w = local
    du, dv, dw = u - u0, v - v0, w - w0
    along = a * du + b * dv + c * dw
    return along, np.sqrt(np.maximum(du * du + dv * dv + dw * dw - along * along, 0))


def _ball(local: Triple, *, centre: Point, radius: float) -> Points:
    u, v, w = local
    away = np.sqrt((u - centre[0]) ** 2 + (v - centre[1]) ** 2 + (w - centre[2]) ** 2)
    return np.asarray(away - radius, dtype=np.float32)
