"""An analysis as one page that needs nothing but itself: no script, no other file, light and dark, fit to print."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from pucs.dashboard.stream_graph import graph, rules, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

CRITICAL_SHOWN: Final = 40
UNCOVERED_SHOWN: Final = 400
_PATTERNS_SHOWN: Final = 6
_RISKS: Final = {"HIGH": "high", "MEDIUM": "medium", "LOW": "low"}


def page(document: Mapping[str, Any], *, title: str, blind: Iterable[str] = ()) -> str:
    """Return the page of a document of ``pucs analyze --json``.

    Args:
        document: The analysis.
        title: What the repository is called.
        blind: What the analysis leaves open, in sentences.
    """
    style = (resources.files("pucs.dashboard") / "analysis.css").read_text(encoding="utf-8")
    body = [
        *_head(document, title),
        *_streams(document),
        *_critical(document),
        *_modules(document),
        *_proposals(document),
        *_drift(document),
        *_uncovered(document),
        *_blind(document, blind),
    ]
    return "\n".join([
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{shown(title)}: streams</title>",
        f"<style>\n{style}\n{rules(document)}\n</style>",
        "</head>",
        "<body>",
        *body,
        "</body>",
        "</html>",
        "",
    ])


def _head(document: Mapping[str, Any], title: str) -> Iterator[str]:
    how = "as declared" if document["declared"] else f"as proposed by {shown(document['method'])}"
    high = sum(one["risk"] == "HIGH" for one in document["critical_files"])
    figures = [
        (f"{document['files']:,}", "files of code"),
        (f"{document['lines']:,}", "lines read"),
        (str(len(document["streams"])), f"streams, {how}" if document["streams"] else "streams"),
        (str(len(document["merge_phases"])), "merge phases"),
        (str(high), "files of high risk"),
        (str(len(document["uncovered"])), "files in no stream"),
    ]
    yield f"<header><h1>{shown(title)}</h1>"
    yield "<p>What can be worked on side by side, what is shared, and in which order it merges.</p>"
    tiles = "".join(f"<li><b>{number}</b> {what}</li>" for number, what in figures)
    yield f'<ul class="figures">{tiles}</ul></header>'


def _streams(document: Mapping[str, Any]) -> Iterator[str]:
    streams = document["streams"]
    yield "<main><section><h2>Streams</h2>"
    if not streams:
        yield "<p>There is too little code to divide.</p></section>"
        return
    yield (
        "<p>From left to right in the order of merging. A curve leads from a stream to one that it imports; the more "
        "imports, the wider. Dashed: against the order. The bar is the share of imports that stay inside. Point at a "
        "stream to see its curves alone.</p>"
    )
    yield f'<div class="wide">{graph(document)}</div>'
    rows = [
        [
            f"<b>{shown(name)}</b><br><span>{shown(stream['description'])}</span>",
            _patterns(stream["files_pattern"]),
            f"{stream['files']:,}",
            f"{stream['lines']:,}",
            str(stream["team_size"]),
            f"{stream['independence_pct']} %",
            shown(", ".join(stream["dependencies"])) or "-",
        ]
        for name, stream in streams.items()
    ]
    header = ("Stream", "Files", "Number", "Lines", "Agents", "Independence", "Depends on")
    yield _table(header, rows, numbers=(2, 3, 4, 5))
    yield "<p>Independence: imports that stay inside / all imports of files of any stream, tests apart.</p></section>"


def _patterns(patterns: Sequence[str]) -> str:
    told = "<br>".join(f"<code>{shown(pattern)}</code>" for pattern in patterns[:_PATTERNS_SHOWN])
    more = len(patterns) - _PATTERNS_SHOWN
    return f"{told}<br>and {more} more" if more > 0 else told


def _critical(document: Mapping[str, Any]) -> Iterator[str]:
    found = document["critical_files"]
    yield "<section><h2>Critical files</h2>"
    if not found:
        yield "<p>None: no file is used from several others.</p></section>"
        return
    yield "<p>Many parts rely on them: lease them for short, and have their changes reviewed.</p>"
    rows = [
        [
            f'<span class="risk {_RISKS.get(one["risk"], "low")}">{shown(one["risk"])}</span>',
            f"<code>{shown(one['path'])}</code>",
            str(len(one["users"])),
            str(len(one["tests"])),
            shown(", ".join(one["streams"])) or "-",
            shown(one["reason"]),
        ]
        for one in found[:CRITICAL_SHOWN]
    ]
    yield _table(("Risk", "File", "Users", "Tests", "Used in", "Why"), rows, numbers=(2, 3))
    yield "</section>"


def _modules(document: Mapping[str, Any]) -> Iterator[str]:
    modules = document["modules"]
    if not modules:
        return
    yield "<section><h2>Modules and layers</h2>"
    yield "<p>Each layer imports only from layers below it, but for what is named beneath.</p>"
    by_path = {module["path"]: module for module in modules}
    for number, names in reversed(list(enumerate(document["layers"]))):
        chips = "".join(
            f'<li title="{by_path[name]["files"]} files, {by_path[name]["lines"]:,} lines, '
            f'{by_path[name]["independence_pct"]} % independent">{shown(name)}</li>'
            for name in names
        )
        yield f'<div class="layer"><b>{number}</b><ul>{chips}</ul></div>'
    if document["cycles_cut"]:
        yield "<h3>Imports against the layers</h3><ul>"
        for cut in document["cycles_cut"]:
            where = "".join(
                f"<br><code>{shown(one['file'])}:{one['line']}</code> imports <code>{shown(one['imported'])}</code>"
                for one in cut["examples"][:1]
            )
            yield f"<li>{shown(cut['importer'])} → {shown(cut['imported'])} ({cut['imports']}){where}</li>"
        yield "</ul>"
    rows = [
        [
            shown(module["path"]),
            f"{module['files']:,}",
            f"{module['lines']:,}",
            f"{module['independence_pct']} %",
            str(module["layer"]),
            shown(", ".join(module["imports"])) or "-",
        ]
        for module in modules
    ]
    yield "<details><summary>All modules</summary>"
    header = ("Module", "Files", "Lines", "Independence", "Layer", "Imports")
    yield _table(header, rows, numbers=(1, 2, 3, 4))
    yield "</details></section>"


def _proposals(document: Mapping[str, Any]) -> Iterator[str]:
    found = document["proposals"]
    if not found:
        return
    yield "<section><h2>Proposals</h2>"
    rows = [
        [
            shown(one["method"]),
            str(len(one["streams"])),
            f"{one['largest_pct']} %",
            f"{one['cut_pct']:.1f} %",
            "too few commits"
            if one["locality_pct"] is None
            else f"{one['locality_pct']:.0f} % of {one['commits']}",
            str(len(one["shared"])),
            str(one["uncovered"]),
        ]
        for one in found
    ]
    header = (
        "Method",
        "Streams",
        "Largest",
        "Imports cut",
        "Commits in one stream",
        "Shared",
        "In no stream",
    )
    yield _table(header, rows, numbers=(1, 2, 3, 4, 5, 6))
    advice = document["advice"]
    if advice:
        yield f"<p>Take <b>{shown(advice['method'])}</b>. {shown(advice['reason'])}</p>"
    yield "</section>"


def _drift(document: Mapping[str, Any]) -> Iterator[str]:
    if not document["declared"]:
        return
    yield "<section><h2>Declared against real dependencies</h2>"
    rows = [
        [
            shown(one["stream"]),
            shown(", ".join(f"{other['stream']} ({other['imports']})" for other in one["missing"])) or "-",
            shown(", ".join(one["unused"])) or "-",
        ]
        for one in document["drift"]
    ]
    yield (
        _table(("Stream", "Imports, not declared", "Declares, does not import"), rows)
        if rows
        else "<p>The same.</p>"
    )
    yield "</section>"


def _uncovered(document: Mapping[str, Any]) -> Iterator[str]:
    found = document["uncovered"]
    if not found:
        return
    yield f"<section><h2>In no stream</h2><p>{len(found)} files of code belong to no stream, and so to all.</p>"
    items = "".join(f"<li><code>{shown(path)}</code></li>" for path in found[:UNCOVERED_SHOWN])
    more = f"<li>and {len(found) - UNCOVERED_SHOWN} more</li>" if len(found) > UNCOVERED_SHOWN else ""
    yield f'<details open><summary>The files</summary><ul class="paths">{items}{more}</ul></details></section>'


def _blind(document: Mapping[str, Any], blind: Iterable[str]) -> Iterator[str]:
    said = [*blind]
    if document["problems_total"]:
        said += [
            f"{one['path']} was not read in full: {one['reason']}"
            for one in document["problems"][:UNCOVERED_SHOWN]
        ]
    if said:
        items = "".join(f"<li>{shown(sentence)}</li>" for sentence in said)
        yield f"<section><h2>What PUCS could not see</h2><ul>{items}</ul></section>"
    yield "</main>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    def cells(kind: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{kind}{' class=number' if at in numbers else ''}>{value}</{kind}>"
            for at, value in enumerate(values)
        )

    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells("th", header)}</tr></thead><tbody>\n{body}\n</tbody></table></div>'
