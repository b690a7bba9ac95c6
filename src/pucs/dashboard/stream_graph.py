"""The streams of an analysis drawn: boxes by merge phase from left to right, curves to what each imports."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from html import escape
from math import log2
from typing import TYPE_CHECKING, Any, Final

from pucs.dashboard.graph_layout import BOX, Lane, layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pucs.dashboard.graph_layout import Item, Layout

_WIDTH: Final = 178
_ACROSS: Final = 70
"""Room between columns, for the curves."""
_DOWN: Final = 20
_MARGIN: Final = 24
_TOP: Final = 46
_ALONE: Final = 40
"""Room for the words above boxes that nothing is tied to."""
_ROW_MIN: Final = 4
"""Such boxes side by side, where there are fewer columns."""
_PORTS: Final = 44
"""Part of a box's height over which its curves are spread."""
_NAME_MAX: Final = 20
_FILES_AND_AGENTS_MAX: Final = 999
"""Files up to which a line has room for the agents as well."""


@dataclass(frozen=True, slots=True)
class _Box:
    name: str
    number: int
    x: float
    y: float


def shown(text: str) -> str:
    """Return a text safe in HTML and SVG, on one line, whatever a file is called."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


def graph(document: Mapping[str, Any]) -> str:
    """Return the graph as an SVG element; its colours are variables of the page."""
    columns, alone = _columns(document)
    if not columns and not alone:
        return ""
    ties = [
        (tie["importer"], tie["imported"], tie["imports"])
        for tie in sorted(
            document["ties"], key=lambda tie: (tie["imports"], tie["importer"], tie["imported"])
        )
    ]
    placed = layout(columns, ties)
    boxes, width, height = _boxes(columns, alone, placed)
    back = {(importer, imported) for importer, imported in document["circles"]}
    parts = [
        _opening(width, height),
        *_headings(len(columns), placed.height, alone=bool(alone)),
        *_curves(ties, boxes, placed, back),
        *(_box(box, document["streams"][box.name]) for box in boxes.values()),
        "</svg>",
    ]
    return "\n".join(parts)


def _opening(width: int, height: int) -> str:
    return (
        f'<svg class="graph" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        'xmlns="http://www.w3.org/2000/svg" aria-label="Streams by merge phase, and what they import">\n'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.8 8 4 0 7.2z" class="tip"/></marker></defs>'
    )


def rules(document: Mapping[str, Any]) -> str:
    """Return the style rules that leave, of a graph, the curves of the box under the pointer."""
    numbers = range(len(document["streams"]))
    return "\n".join(
        f".graph:has(.b{number}:hover) .tie:not(.t{number}) {{ opacity: 0.06; }}" for number in numbers
    )


def _columns(document: Mapping[str, Any]) -> tuple[list[list[str]], list[str]]:
    """Return the streams of each phase, those of none last; and apart, those that are tied to no other."""
    streams = document["streams"]
    tied = {name for tie in document["ties"] for name in (tie["importer"], tie["imported"])}
    columns = [[name for name in phase if name in tied] for phase in document["merge_phases"]]
    placed = {name for column in columns for name in column}
    columns.append([name for name in streams if name in tied and name not in placed])
    return [column for column in columns if column], [name for name in streams if name not in tied]


def _boxes(
    columns: Sequence[Sequence[str]], alone: Sequence[str], placed: Layout
) -> tuple[dict[str, _Box], int, int]:
    """Return the boxes, and width and height of the whole."""
    boxes: dict[str, _Box] = {}
    for at, column in enumerate(columns):
        for name in column:
            x, y = _MARGIN + at * (_WIDTH + _ACROSS), _TOP + placed.middles[name] - BOX / 2
            boxes[name] = _Box(name, len(boxes), x, round(y, 1))
    across = max(len(columns), min(_ROW_MIN, len(alone)))
    width = 2 * _MARGIN + across * _WIDTH + (across - 1) * _ACROSS
    bottom = _TOP + placed.height + _MARGIN if columns else 0.0
    row = max(1, (width - 2 * _MARGIN + _DOWN) // (_WIDTH + _DOWN))
    for at, name in enumerate(alone):
        x, y = _MARGIN + at % row * (_WIDTH + _DOWN), bottom + _ALONE + at // row * (BOX + _DOWN)
        boxes[name] = _Box(name, len(boxes), x, round(y, 1))
    height = max(box.y for box in boxes.values()) + BOX + _MARGIN
    return boxes, width, round(max(height, bottom))


def _headings(columns: int, height: float, *, alone: bool) -> Iterator[str]:
    for at in range(columns):
        middle = _MARGIN + at * (_WIDTH + _ACROSS) + _WIDTH / 2
        yield f'<text class="phase" x="{middle}" y="24">phase {at + 1}</text>'
    if alone:
        y = (_TOP + height + _MARGIN if columns else 0.0) + _ALONE - 14
        yield f'<text class="phase start" x="{_MARGIN}" y="{y:.0f}">tied to no other: free at any time</text>'


def _box(box: _Box, stream: Mapping[str, Any]) -> str:
    name = box.name if len(box.name) <= _NAME_MAX else f"{box.name[: _NAME_MAX - 1]}…"
    files, pct = stream["files"], stream["independence_pct"]
    agents = stream["team_size"]
    told = (
        f"{box.name}: {stream['description']} {_count(files, 'file')}, {stream['lines']:,} lines, "
        f"room for {_count(agents, 'agent')}, {pct} % of its imports stay inside."
    )
    size = (
        f"{files:,} files"
        if files > _FILES_AND_AGENTS_MAX
        else f"{_count(files, 'file')} · {_count(agents, 'agent')}"
    )
    inner = _WIDTH - 24
    return (
        f'<g class="box b{box.number}" transform="translate({box.x} {box.y})"><title>{shown(told)}</title>'
        f'<rect class="frame" width="{_WIDTH}" height="{BOX}" rx="8"/>'
        f'<text class="name" x="12" y="21">{shown(name)}</text>'
        f'<text class="small" x="12" y="38">{size}</text>'
        f'<text class="small end" x="{_WIDTH - 12}" y="38">{pct} %</text>'
        f'<rect class="rail" x="12" y="45" width="{inner}" height="4" rx="2"/>'
        f'<rect class="fill" x="12" y="45" width="{inner * pct / 100:.1f}" height="4" rx="2"/></g>'
    )


def _curves(
    ties: Sequence[tuple[str, str, int]],
    boxes: Mapping[str, _Box],
    placed: Layout,
    back: set[tuple[str, str]],
) -> Iterator[str]:
    """Draw the imports, light ones first; at each side of a box they stand in the order of where they lead."""
    ports = _ports(boxes, placed)
    for importer, imported, imports in ties:
        way = placed.ways[importer, imported]
        yield _curve(
            (boxes[importer], boxes[imported], imports),
            (
                ports[importer, way[1], boxes[importer].x <= boxes[imported].x],
                ports[imported, way[-2], boxes[importer].x <= boxes[imported].x],
            ),
            [item for item in way if isinstance(item, Lane)],
            placed,
            against=(importer, imported) in back or boxes[importer].x <= boxes[imported].x,
        )


def _ports(boxes: Mapping[str, _Box], placed: Layout) -> dict[tuple[str, Item, bool], float]:
    """Return the height at which each box meets what is beside it, for curves to the left and to the right."""
    sides: defaultdict[tuple[str, bool], set[tuple[Item, bool]]] = defaultdict(set)
    for way in placed.ways.values():
        first, last = boxes[str(way[0])], boxes[str(way[-1])]
        rightward = first.x <= last.x
        sides[first.name, rightward].add((way[1], rightward))
        sides[last.name, not rightward or first.x == last.x].add((way[-2], rightward))
    ports: dict[tuple[str, Item, bool], float] = {}
    for (name, _), beside in sides.items():
        order = sorted(beside, key=lambda one: (placed.middles[one[0]], str(one[0]), one[1]))
        for at, (item, rightward) in enumerate(order, start=1):
            ports[name, item, rightward] = boxes[name].y + BOX / 2 + (at / (len(order) + 1) - 0.5) * _PORTS
    return ports


def _curve(
    tie: tuple[_Box, _Box, int],
    ends: tuple[float, float],
    lanes: Sequence[Lane],
    placed: Layout,
    *,
    against: bool,
) -> str:
    """Draw an import of one stream from another; one against the order of merging is dashed."""
    importer, imported, imports = tie
    leftward = importer.x > imported.x
    if importer.x == imported.x:
        x, bend = importer.x + _WIDTH, _ACROSS / 2
        path = f"M{x:.0f} {ends[0]:.1f}C{x + bend:.0f} {ends[0]:.1f} {x + bend:.0f} {ends[1]:.1f} {x:.0f} {ends[1]:.1f}"
    else:
        x, y = importer.x + (0 if leftward else _WIDTH), ends[0]
        path = f"M{x:.0f} {y:.1f}"
        for lane in lanes:
            near = _MARGIN + lane.column * (_WIDTH + _ACROSS) + (_WIDTH if leftward else 0)
            path += _bent(x, y, near, _TOP + placed.middles[lane])
            x, y = near + (-_WIDTH if leftward else _WIDTH), _TOP + placed.middles[lane]
            path += f"H{x:.0f}"
        path += _bent(x, y, imported.x + (_WIDTH + 1 if leftward else -1), ends[1])
    said = f"{importer.name} imports {imported.name}: {_count(imports, 'import')}"
    return (
        f'<path class="tie t{importer.number} t{imported.number}{" against" if against else ""}" d="{path}" '
        f'stroke-width="{min(7.0, 0.8 + log2(1 + imports) * 0.8):.1f}" marker-end="url(#tip)">'
        f"<title>{shown(said)}{' (against the order of merging)' if against else ''}</title></path>"
    )


def _bent(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return the curve between two columns."""
    middle = (x1 + x2) / 2
    return f"C{middle:.0f} {y1:.1f} {middle:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
