"""The document of an analysis (DESIGN §7), made once for the same code, history and configuration and kept in the index."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from pucs.coordinator.records import FactsKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pucs.code.records import Proposal
    from pucs.coordinator.analysis import Analysis
    from pucs.coordinator.ports import Index, Parsers, Sources
    from pucs.streams.settings import Configuration

PROBLEMS_TOLD: Final = 100
"""Problems in the document; ``problems_total`` says how many there are."""
_FORMAT: Final = "analysis-1"
"""Raised when the document gets other fields."""
_NOTHING: Final = lambda _done, _all: None  # noqa: E731 - a default, not a function of the module


def analysis_document(
    sources: Sources,
    index: Index,
    parsers: Parsers,
    *,
    rules: str,
    configuration: Configuration | None = None,
    method: str = "directories",
    told: Callable[[int, int], None] = _NOTHING,
    enough: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Return the document of ``pucs analyze --json``, of plain lists and dicts.

    Kept is one for each content of the checkout, history, configuration and method; nothing is kept of an analysis that
    was cut short. The other arguments are those of ``analysis.analyze``.

    Args:
        sources: The files.
        index: Where facts, and the document, are kept.
        parsers: Who tells facts.
        rules: Stands for the rules of this version of PUCS: another text, and the document is made anew.
        configuration: What its owner has declared; None: nothing yet.
        method: The proposal to take where nothing is declared.
        told: Hears how many files are parsed.
        enough: Asked after each file that had to be parsed; once it says so, no more are.
    """
    listed = _Listed(sources)
    key = FactsKey(f"{_FORMAT}.{method}", _digest(listed, configuration, rules))
    known = _read(index.kept({key}).get(key))
    if known is not None:
        return known
    from pucs.code.records import Method  # noqa: PLC0415 - what is kept needs nothing of all this
    from pucs.coordinator.analysis import analyze  # noqa: PLC0415

    analysis = analyze(
        listed, index, parsers, configuration=configuration, method=Method(method), told=told, enough=enough
    )
    text = json.dumps(document(analysis), default=_plain)
    if not analysis.skipped:
        index.keep({key: zlib.compress(text.encode(), 1)})
    found: dict[str, Any] = json.loads(text)
    return found


class _Listed:
    """Files of a checkout, listed once."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._listing: dict[str, str] | None = None
        self.root = sources.root

    def listing(self) -> dict[str, str]:
        if self._listing is None:
            self._listing = self._sources.listing()
        return self._listing

    def notes(self) -> tuple[str, ...]:
        return self._sources.notes()

    def newest(self) -> str:
        return self._sources.newest()

    def read(self, path: str) -> bytes | None:
        return self._sources.read(path)

    def history(self, commits_max: int) -> list[tuple[int, tuple[str, ...]]]:
        return self._sources.history(commits_max)


def _digest(sources: Sources, configuration: Configuration | None, rules: str) -> str:
    digest = hashlib.sha256()
    listing = "\0".join(f"{path}\0{blob}" for path, blob in sources.listing().items())
    declared = repr(configuration and (configuration.streams, configuration.generated, configuration.merge))
    for part in (rules, sources.newest(), declared, *sources.notes(), listing):
        digest.update(part.encode(errors="surrogateescape") + b"\0\0")
    return digest.hexdigest()


def _read(data: bytes | None) -> dict[str, Any] | None:
    """Return what was kept; None: nothing, or it is damaged."""
    try:
        found = json.loads(zlib.decompress(data)) if data else None
    except (zlib.error, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _plain(value: Any) -> Any:
    """Return a record as its fields."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def document(analysis: Analysis) -> dict[str, Any]:
    """Return the document of an analysis: streams are the declared ones, else those of the chosen proposal."""
    layers: defaultdict[int, list[str]] = defaultdict(list)
    for module in analysis.modules:
        layers[module.layer].append(module.path)
    chosen = analysis.chosen
    planned = not analysis.declared and chosen is not None
    return {
        "files": analysis.files,
        "lines": analysis.lines,
        "commits": analysis.commits,
        "declared": bool(analysis.declared),
        "method": chosen.method if planned and chosen else "",
        "modules": [
            {
                "path": module.path,
                "files": module.files,
                "lines": module.lines,
                "independence_pct": module.independence_pct,
                "layer": module.layer,
                "imports": module.imports,
            }
            for module in analysis.modules
        ],
        "layers": [layers[layer] for layer in sorted(layers)],
        "cycles_cut": [
            {
                "importer": cut.importer,
                "imported": cut.imported,
                "imports": cut.weight,
                "examples": [
                    {"file": importer, "line": line, "imported": imported}
                    for importer, line, imported in cut.examples
                ],
            }
            for cut in analysis.cuts
        ],
        "critical_files": analysis.critical,
        "streams": _streams(analysis),
        "merge_phases": chosen.phases if planned and chosen else analysis.declared_phases,
        "circles": chosen.circles if planned and chosen else (),
        "ties": [
            {"importer": importer, "imported": imported, "imports": count}
            for (importer, imported), count in analysis.ties.items()
        ],
        "shared": chosen.shared if planned and chosen else (),
        "uncovered": analysis.uncovered,
        "drift": [
            {
                "stream": one.stream,
                "declared": one.declared,
                "missing": [{"stream": stream, "imports": imports} for stream, imports in one.missing],
                "unused": one.unused,
            }
            for one in analysis.drift
        ],
        "proposals": [_proposal(plan, analysis.left[plan.method]) for plan in analysis.proposals],
        "advice": analysis.advice,
        "unread": analysis.unread,
        "skipped": analysis.skipped,
        "problems": analysis.problems[:PROBLEMS_TOLD],
        "problems_total": len(analysis.problems),
        "notes": analysis.notes,
    }


def _proposal(plan: Proposal, left: int) -> dict[str, Any]:
    from pucs.coordinator.analysis import largest_pct  # noqa: PLC0415 - whoever has a proposal has that

    return {
        "method": plan.method,
        "streams": [one.name for one in plan.streams],
        "merge_phases": plan.phases,
        "largest_pct": largest_pct(plan),
        "cut_pct": plan.cut_pct,
        "locality_pct": plan.locality_pct,
        "commits": plan.commits,
        "shared": plan.shared,
        "uncovered": left,
        "circles": plan.circles,
    }


def _streams(analysis: Analysis) -> Mapping[str, dict[str, Any]]:
    from pucs.coordinator.analysis import planned_streams  # noqa: PLC0415 - whoever has an analysis has that

    streams = analysis.declared or (planned_streams(analysis.chosen) if analysis.chosen else ())
    return {
        stream.name: {
            "files_pattern": stream.files_pattern,
            "description": stream.description,
            "dependencies": stream.dependencies,
            "test_pattern": stream.test_pattern,
            "max_agents": stream.max_agents,
            "files": share.files,
            "lines": share.lines,
            "independence_pct": share.independence_pct,
            "team_size": share.team_size,
        }
        for stream in streams
        for share in (analysis.shares[stream.name],)
    }
