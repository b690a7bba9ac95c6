"""An analysis told on a terminal of a hundred columns; ``--json`` has what is shortened here."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from pucs.cli.door import clip, count, one_line, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

WIDTH: Final = 100
MODULES_SHOWN: Final = 30
CRITICAL_SHOWN: Final = 15
NAMES_SHOWN: Final = 12
"""Names in one line of a list; the count says the rest."""
CUTS_SHOWN: Final = 10
PROBLEMS_SHOWN: Final = 8
_PATH: Final = 36
_EXAMPLE: Final = 41
_STREAMS: Final = 20
_INHERIT: Final = re.compile(r"(\d+) classes inherit from ")
_NAME: Final = 28
INDEPENDENCE: Final = (
    "INDEP. = imports that stay inside / all imports of files of this repository, tests apart"
)
BLIND: Final = (
    "Imports made while a program runs: importlib, plugins, entry points, names in strings and settings.",
    "What getattr, monkeypatching or an untyped object leads to: such users of a file are not counted.",
)
"""What no reading of the code tells, whatever the repository."""


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Give the analysis line by line; headings are those that begin with a capital letter and hold no small one."""
    yield head(document)
    if not document["files"]:
        return
    yield from _modules(document)
    yield from _layers(document)
    yield from _critical(document)
    yield from _streams(document)
    yield from _drift(document)
    yield from _proposals(document)
    yield from _uncovered(document)
    yield from _problems(document)
    yield from _blind(document)


def head(document: Mapping[str, Any]) -> str:
    """Return the first line: how much was looked at."""
    if not document["files"]:
        return (
            "No code is tracked here: nothing to analyse. Streams can still be written by hand, in pucs.yaml."
        )
    return (
        f"{count(document['files'], 'file')} of code, {document['lines']:,} lines read, "
        f"{count(len(document['modules']), 'module')}, {count(document['commits'], 'commit')} looked at."
    )


def _modules(document: Mapping[str, Any]) -> Iterator[str]:
    found = document["modules"]
    shown = sorted(sorted(found, key=lambda one: -one["files"])[:MODULES_SHOWN], key=lambda one: one["path"])
    yield from _heading("MODULES", INDEPENDENCE)
    rows = [
        (
            _end(one["path"], _PATH),
            one["files"],
            f"{one['lines']:,}",
            f"{one['independence_pct']} %",
            one["layer"],
            ", ".join(_short(one["imports"])) or "-",
        )
        for one in shown
    ]
    yield from _table(rows, ("MODULE", "FILES", "LINES", "INDEP.", "LAYER", "IMPORTS"), right=(1, 2, 3, 4))
    yield from _more(len(found) - len(shown), "smaller module")


def _layers(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _heading("LAYERS", "each imports only from layers below it")
    for number, names in reversed(list(enumerate(document["layers"]))):
        yield from _listed(f"{number:>3}  ", names)
    cuts = document["cycles_cut"]
    if not cuts:
        return
    yield f"  To have layers, {count(len(cuts), 'import against them was', 'imports against them were')} set aside, the lightest of each cycle:"
    for cut in cuts[:CUTS_SHOWN]:
        yield clip(
            f"    {one_line(cut['importer'])} → {one_line(cut['imported'])} ({count(cut['imports'], 'import')})",
            WIDTH,
        )
        for example in cut["examples"][:1]:
            yield f"      {_end(example['file'], _EXAMPLE)}:{example['line']} imports {_end(example['imported'], _EXAMPLE)}"
    yield from _more(len(cuts) - CUTS_SHOWN, "cut")


def _critical(document: Mapping[str, Any]) -> Iterator[str]:
    found = document["critical_files"]
    yield from _heading(
        "CRITICAL FILES",
        "many parts rely on them: lease them for short, review them; BASE OF = subclasses they have",
    )
    if not found:
        yield "  None: no file is used from several others."
        return
    rows = [
        (
            one["risk"],
            _end(one["path"], _PATH),
            len(one["users"]),
            len(one["tests"]),
            one["changes"],
            _subclasses(one),
            _some(one["streams"], _STREAMS),
        )
        for one in found[:CRITICAL_SHOWN]
    ]
    header = ("RISK", "FILE", "USERS", "TESTS", "CHANGES", "BASE OF", "USED IN")
    yield from _table(rows, header, right=(2, 3, 4, 5))
    yield from _more(len(found) - CRITICAL_SHOWN, "file")


def _subclasses(one: Mapping[str, Any]) -> str:
    """Return how many classes inherit from one of a file."""
    found = _INHERIT.search(one["reason"])
    return found[1] if found else "-"


def _some(names: Sequence[str], width: int) -> str:
    """Return as many names as fit, and how many more there are."""
    shown = list(names)
    while shown and len(said := _joined(shown, len(names))) > width:
        shown.pop()
    return said if shown else clip(_joined(names[:1], len(names)), width) if names else "-"


def _joined(shown: Sequence[str], total: int) -> str:
    return ", ".join(shown) + (f" +{total - len(shown)}" if total > len(shown) else "")


def _streams(document: Mapping[str, Any]) -> Iterator[str]:
    streams = document["streams"]
    said = "declared in the configuration" if document["declared"] else f"proposed by {document['method']}"
    yield from _heading("STREAMS", said if streams else "")
    if not streams:
        yield "  None: there is too little code to divide."
        return
    rows = [
        (
            clip(name, _NAME),
            stream["files"],
            stream["team_size"],
            f"{stream['independence_pct']} %",
            ", ".join(stream["dependencies"]) or "-",
        )
        for name, stream in streams.items()
    ]
    yield from _table(rows, ("STREAM", "FILES", "TEAM", "INDEP.", "DEPENDS ON"), right=(1, 2, 3))
    yield from _heading("MERGE ORDER", "streams of one phase do not depend on each other")
    for number, names in enumerate(document["merge_phases"], start=1):
        yield from _listed(f"{number:>3}  ", names)
    if document["circles"]:
        said = ", ".join(f"{importer} → {imported}" for importer, imported in document["circles"])
        yield from _wrapped(
            f"  Left out, because the other direction is heavier: {one_line(said)}.", indent="  "
        )


def _drift(document: Mapping[str, Any]) -> Iterator[str]:
    if not document["declared"]:
        return
    yield from _heading("DECLARED AGAINST REAL DEPENDENCIES")
    if not document["drift"]:
        yield "  What the streams declare is what they import."
    for one in document["drift"]:
        missing = ", ".join(
            f"{other['stream']} ({count(other['imports'], 'import')})" for other in one["missing"]
        )
        if missing:
            yield from _wrapped(
                f"  {one_line(one['stream'])} imports and does not declare {one_line(missing)}", indent="    "
            )
        if one["unused"]:
            yield from _wrapped(
                f"  {one_line(one['stream'])} declares and does not import {one_line(', '.join(one['unused']))}",
                indent="    ",
            )


def _proposals(document: Mapping[str, Any]) -> Iterator[str]:
    found = document["proposals"]
    if not found:
        return
    yield from _heading("PROPOSALS", "what PUCS would make streams of" if document["declared"] else "")
    rows = [
        (
            one["method"],
            len(one["streams"]),
            f"{one['largest_pct']} %",
            f"{one['cut_pct']:.1f} %",
            "too few commits"
            if one["locality_pct"] is None
            else f"{one['locality_pct']:.0f} % of {one['commits']}",
            len(one["shared"]),
            one["uncovered"],
        )
        for one in found
    ]
    header = ("METHOD", "STREAMS", "LARGEST", "IMPORTS CUT", "COMMITS IN ONE STREAM", "SHARED", "UNCOVERED")
    yield from _table(rows, header, right=(1, 2, 3, 4, 5, 6))
    advice = document["advice"]
    if advice:
        yield from _wrapped(f"  Take {advice['method']}: {lower_first(advice['reason'])}", indent="  ")


def _uncovered(document: Mapping[str, Any]) -> Iterator[str]:
    found = document["uncovered"]
    if not found:
        return
    yield from _heading("IN NO STREAM", f"{count(len(found), 'file')}, shared by all")
    yield from _wrapped(f"  {', '.join(places(found))}", indent="  ")


def _problems(document: Mapping[str, Any]) -> Iterator[str]:
    found, total = document["problems"], document["problems_total"]
    if not total:
        return
    yield from _heading("NOT READ IN FULL", count(total, "file"))
    for one in found[:PROBLEMS_SHOWN]:
        yield clip(f"  {_end(one['path'], 60)}: {one_line(one['reason'])}", WIDTH)
    yield from _more(total - PROBLEMS_SHOWN, "file")


def _blind(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _heading("WHAT PUCS COULD NOT SEE")
    for sentence in blind(document):
        yield from _wrapped(f"  - {sentence}", indent="    ")


def blind(document: Mapping[str, Any]) -> list[str]:
    """Return what the analysis leaves open, in sentences."""
    said = list(BLIND)
    if document["unread"]:
        kinds = ", ".join(f"{number} .{one_line(ending)}" for ending, number in document["unread"].items())
        said.append(f"Imports of files in languages that are counted, not read: {kinds}.")
    if document["skipped"]:
        said.append(f"{count(document['skipped'], 'file')} for which there was no time.")
    if any(one["locality_pct"] is None for one in document["proposals"]):
        said.append(
            "Whether past commits would have stayed in one stream: there are too few over several files."
        )
    return [*said, *(one_line(note) for note in document["notes"])]


def places(paths: Iterable[str], shown: int = NAMES_SHOWN) -> list[str]:
    """Return where files lie, by their topmost directory, with counts; at most so many places."""
    often = Counter(_place(path) for path in paths)
    named = [
        f"{one_line(place)} ({number})" if place.endswith("/") else one_line(place)
        for place, number in often.most_common()
    ]
    more = [f"and {count(len(named) - shown, 'more place')}"] if len(named) > shown else []
    return named[:shown] + more


def _place(path: str) -> str:
    """Return the directory of a file, its two topmost parts."""
    *directories, _ = path.split("/")
    return "/".join(directories[:2]) + "/" if directories else path


def lower_first(text: str) -> str:
    """Return a sentence that goes on after a colon."""
    return text[:1].lower() + text[1:]


def _short(modules: Sequence[str]) -> list[str]:
    return [module.rpartition("/")[2] for module in modules]


def _end(path: str, width: int) -> str:
    """Return a path on one line; of a long one, its end."""
    text = one_line(path)
    return text if len(text) <= width else f"…{text[1 - width :]}"


def _heading(title: str, said: str = "") -> Iterator[str]:
    yield ""
    yield title
    if said:
        yield f"  ({said})"


def _table(rows: Sequence[Sequence[Any]], header: Sequence[str], right: Sequence[int] = ()) -> Iterator[str]:
    """Give aligned columns, numbers to the right."""
    widths = {column: max(len(str(row[column])) for row in (header, *rows)) for column in right}
    flush = [
        [str(cell).rjust(widths[column]) if column in widths else cell for column, cell in enumerate(row)]
        for row in (header, *rows)
    ]
    for line in table(flush[1:], flush[0]).split("\n"):
        yield clip(f"  {line}", WIDTH)


def _listed(start: str, names: Sequence[str]) -> Iterator[str]:
    shown = [one_line(name) for name in names[:NAMES_SHOWN]]
    more = [f"and {len(names) - NAMES_SHOWN} more"] if len(names) > NAMES_SHOWN else []
    yield from _wrapped(start + ", ".join([*shown, *more]), indent=" " * len(start))


def _wrapped(text: str, *, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, break_long_words=True, break_on_hyphens=False
    ) or [text]


def _more(number: int, thing: str) -> Iterator[str]:
    if number > 0:
        yield f"  … and {count(number, f'more {thing}')}"
