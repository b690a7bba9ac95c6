"""The streams of an analysis drawn: boxes by merge phase from left to right, curves to what each imports."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from html import escape
from math import log2
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_WIDTH: Final = 178
_HEIGHT: Final = 56
_ACROSS: Final = 70
"""Room between columns, for the curves."""
_DOWN: Final = 22
_MARGIN: Final = 24
_TOP: Final = 46
_NAME_MAX: Final = 20
_PORTS: Final = 44
"""Part of a box's height over which its curves are spread."""
_SWEEPS: Final = 8
"""Rounds of putting boxes beside those they are tied to; more change nothing that one would see."""


@dataclass(frozen=True, slots=True, order=True)
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
    columns = _columns(document)
    if not columns:
        return ""
    boxes = _placed(columns, document["ties"])
    rows = max(map(len, columns))
    width = 2 * _MARGIN + len(columns) * _WIDTH + (len(columns) - 1) * _ACROSS
    height = _TOP + rows * _HEIGHT + (rows - 1) * _DOWN + _MARGIN
    back = {(importer, imported) for importer, imported in document["circles"]}
    parts = [
        (
            f'<svg class="graph" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
            'xmlns="http://www.w3.org/2000/svg" aria-label="Streams by merge phase, and what they import">'
        ),
        (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.8 8 4 0 7.2z" class="tip"/></marker></defs>'
        ),
        *_headings(len(columns)),
        *_curves(document["ties"], boxes, back),
        *(_box(box, document["streams"][box.name]) for box in boxes.values()),
        "</svg>",
    ]
    return "\n".join(parts)


def rules(document: Mapping[str, Any]) -> str:
    """Return the style rules that leave, of a graph, the curves of the box under the pointer."""
    columns = _columns(document)
    numbers = range(sum(map(len, columns)))
    return "\n".join(
        f".graph:has(.b{number}:hover) .tie:not(.t{number}) {{ opacity: 0.06; }}" for number in numbers
    )


def _columns(document: Mapping[str, Any]) -> list[list[str]]:
    """Return the streams of each phase; those of none come last."""
    streams = document["streams"]
    columns = [[name for name in phase if name in streams] for phase in document["merge_phases"]]
    placed = {name for column in columns for name in column}
    columns.append([name for name in streams if name not in placed])
    return [column for column in columns if column]


def _placed(columns: Sequence[Sequence[str]], ties: Iterable[Mapping[str, Any]]) -> dict[str, _Box]:
    """Put each stream where it is near those it is tied to: the mean of their heights, column by column."""
    near: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for tie in ties:
        near[tie["importer"]].append((tie["imported"], tie["imports"]))
        near[tie["imported"]].append((tie["importer"], tie["imports"]))
    rows = max(map(len, columns))
    # What nothing is tied to stands below, out of the way of curves.
    order = [sorted(column, key=lambda name: (name not in near, name)) for column in columns]
    heights = {name: (rows - len(column)) / 2 + row for column in order for row, name in enumerate(column)}
    for sweep in range(_SWEEPS):
        for column in order if sweep % 2 == 0 else reversed(order):
            mean = {name: _mean(near.get(name, ()), heights, heights[name]) for name in column}
            column.sort(key=lambda name: (name not in near, mean[name], name))
            start = (rows - len(column)) / 2
            heights.update({name: start + row for row, name in enumerate(column)})
    numbers = {name: number for number, name in enumerate(name for column in columns for name in column)}
    return {
        name: _Box(
            name,
            numbers[name],
            _MARGIN + at * (_WIDTH + _ACROSS),
            _TOP + heights[name] * (_HEIGHT + _DOWN),
        )
        for at, column in enumerate(order)
        for name in column
    }


def _mean(near: Sequence[tuple[str, int]], heights: Mapping[str, float], own: float) -> float:
    weights = [(log2(1 + imports), heights[name]) for name, imports in near if name in heights]
    total = sum(weight for weight, _ in weights)
    return sum(weight * height for weight, height in weights) / total if total else own


def _headings(columns: int) -> Iterator[str]:
    for at in range(columns):
        middle = _MARGIN + at * (_WIDTH + _ACROSS) + _WIDTH / 2
        yield f'<text class="phase" x="{middle}" y="24">phase {at + 1}</text>'


def _box(box: _Box, stream: Mapping[str, Any]) -> str:
    name = box.name if len(box.name) <= _NAME_MAX else f"{box.name[: _NAME_MAX - 1]}…"
    files, pct = stream["files"], stream["independence_pct"]
    agents = stream["team_size"]
    told = (
        f"{box.name}: {stream['description']} {_count(files, 'file')}, {stream['lines']:,} lines, "
        f"room for {_count(agents, 'agent')}, {pct} % of its imports stay inside."
    )
    inner = _WIDTH - 24
    return (
        f'<g class="box b{box.number}" transform="translate({box.x} {box.y})"><title>{shown(told)}</title>'
        f'<rect class="frame" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
        f'<text class="name" x="12" y="21">{shown(name)}</text>'
        f'<text class="small" x="12" y="38">{_count(files, "file")} · {_count(agents, "agent")}</text>'
        f'<text class="small end" x="{_WIDTH - 12}" y="38">{pct} %</text>'
        f'<rect class="rail" x="12" y="45" width="{inner}" height="4" rx="2"/>'
        f'<rect class="fill" x="12" y="45" width="{inner * pct / 100:.1f}" height="4" rx="2"/></g>'
    )


def _curves(
    ties: Iterable[Mapping[str, Any]], boxes: Mapping[str, _Box], back: set[tuple[str, str]]
) -> Iterator[str]:
    """Draw the imports, light ones first; at each side of a box they stand in the order of where they lead."""
    known = sorted(
        (boxes[tie["importer"]], boxes[tie["imported"]], tie["imports"])
        for tie in ties
        if tie["importer"] in boxes and tie["imported"] in boxes
    )
    sides: defaultdict[tuple[str, bool], list[tuple[float, str, str]]] = defaultdict(list)
    for importer, imported, _ in known:
        leftward = importer.x > imported.x
        sides[importer.name, not leftward].append((imported.y, importer.name, imported.name))
        sides[imported.name, leftward or importer.x == imported.x].append((
            importer.y,
            importer.name,
            imported.name,
        ))
    ports: dict[tuple[str, str, str], float] = {}
    for (name, _), found in sides.items():
        for at, (_, importer_name, imported_name) in enumerate(sorted(found), start=1):
            ports[name, importer_name, imported_name] = (at / (len(found) + 1) - 0.5) * _PORTS
    for importer, imported, imports in sorted(known, key=lambda tie: (tie[2], tie[0].number, tie[1].number)):
        pair = (importer.name, imported.name)
        yield _curve(
            importer,
            imported,
            imports,
            (
                importer.y + _HEIGHT / 2 + ports[pair[0], *pair],
                imported.y + _HEIGHT / 2 + ports[pair[1], *pair],
            ),
            against=pair in back or importer.x <= imported.x,
        )


def _curve(importer: _Box, imported: _Box, imports: int, ys: tuple[float, float], *, against: bool) -> str:
    """Draw an import of one stream from another; one against the order of merging is dashed."""
    y1, y2 = ys
    if importer.x == imported.x:
        x1 = x2 = importer.x + _WIDTH
        bends = (x1 + _ACROSS / 2, x2 + _ACROSS / 2)
    else:
        leftward = importer.x > imported.x
        x1 = importer.x + (0 if leftward else _WIDTH)
        x2 = imported.x + (_WIDTH + 1 if leftward else -1)
        bend = max(_ACROSS * 0.6, abs(x1 - x2) * 0.42) * (1 if leftward else -1)
        bends = (x1 - bend, x2 + bend)
    path = f"M{x1:.0f} {y1:.1f}C{bends[0]:.0f} {y1:.1f} {bends[1]:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"
    said = f"{importer.name} imports {imported.name}: {_count(imports, 'import')}"
    return (
        f'<path class="tie t{importer.number} t{imported.number}{" against" if against else ""}" d="{path}" '
        f'stroke-width="{min(7.0, 0.8 + log2(1 + imports) * 0.8):.1f}" marker-end="url(#tip)">'
        f"<title>{shown(said)}{' (against the order of merging)' if against else ''}</title></path>"
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
