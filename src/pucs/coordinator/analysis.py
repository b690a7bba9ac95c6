"""Puts together what a repository's code says about parallel work: ``pucs analyze``, and what ``pucs init`` writes.

Needs no session and no store. Nothing analysed is imported or executed. What is told follows from the tracked files of the
checkout as they are now, its configuration if it has one, and the newest ``COMMITS_MAX`` commits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pucs.code.critical import critical_files
from pucs.code.proposing import proposals, team_size
from pucs.code.records import Drift, Method
from pucs.code.resolving import Code
from pucs.code.structure import module_names, modules, weights_between
from pucs.coordinator.indexing import indexed
from pucs.core.sources import is_code, is_test
from pucs.streams.boundaries import Boundaries
from pucs.streams.dependencies import needs
from pucs.streams.phases import merge_phases
from pucs.streams.records import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pucs.code.records import CriticalFile, Cut, Module, Proposal, StreamPlan
    from pucs.code.resolving import Edge
    from pucs.coordinator.ports import Index, Parsers, Sources
    from pucs.streams.settings import Configuration
    from pucs.syntax.facts import FileFacts

COMMITS_MAX: Final = 2000
"""Newest commits that are looked at: older ones tell of another architecture."""
PROBLEMS_TOLD: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file that could not be read in full."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything that an analysis finds."""

    modules: tuple[Module, ...]
    cuts: tuple[Cut, ...]
    """Imports between modules that were set aside to find layers."""
    critical: tuple[CriticalFile, ...]
    proposals: tuple[Proposal, ...]
    """Divisions into streams to choose from."""
    chosen: Proposal | None
    """The proposal that was asked for; None: there is nothing to divide."""
    declared: tuple[Stream, ...]
    """Streams of the configuration; empty: there is none."""
    drift: tuple[Drift, ...]
    """Where declared and real dependencies differ."""
    declared_phases: tuple[tuple[str, ...], ...]
    uncovered: tuple[str, ...]
    """Files of code, tests apart, in no declared stream, or in no stream of the chosen proposal."""
    ties: Mapping[tuple[str, str], int]
    """Edges from file to file between streams, declared or of the chosen proposal."""
    files_of: Mapping[str, tuple[str, ...]]
    """Files of each such stream."""
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    commits: int
    """Commits looked at."""


def analyze(
    sources: Sources,
    index: Index,
    parsers: Parsers,
    *,
    configuration: Configuration | None = None,
    method: Method = Method.DIRECTORIES,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Analysis:
    """Return the analysis of a checkout.

    Args:
        sources: Its files.
        index: Where facts of files are kept between calls.
        parsers: Who tells them.
        configuration: What its owner has declared; None: nothing yet.
        method: The proposal to take for streams where nothing is declared.
        told: Hears how many of the files that had to be parsed are done.
    """
    listing = sources.listing()
    facts = indexed(sources, index, parsers, listing=listing, told=told)
    files = list(listing)
    history = sources.history(COMMITS_MAX)
    changed = [paths for _, paths in history]
    code = Code(facts)
    edges = code.edges()
    module_of = module_names(files)
    found, cuts = modules(edges, module_of, {path: fact.lines for path, fact in facts.items()})
    plans = proposals(code, edges, files, changed)
    chosen = next((plan for plan in plans if plan.method is method), plans[0] if plans else None)
    declared = configuration.streams if configuration is not None else ()
    owner_of = _owners(files, configuration) if declared else _planned(chosen)
    files_of: defaultdict[str, list[str]] = defaultdict(list)
    for path in files:
        if owner := owner_of.get(path):
            files_of[owner].append(path)
    return Analysis(
        modules=found,
        cuts=cuts,
        critical=critical_files(
            code,
            stream_of=lambda path: owner_of.get(path) or module_of.get(path, ""),
            changes=Counter(path for paths in changed for path in paths),
        ),
        proposals=plans,
        chosen=chosen,
        declared=declared,
        drift=_drift(declared, edges, owner_of),
        declared_phases=_declared_phases(configuration),
        uncovered=tuple(
            path for path in files if is_code(path) and not is_test(path) and path not in owner_of
        ),
        ties=dict(sorted(weights_between(edges, owner_of.get).items())),
        files_of={name: tuple(paths) for name, paths in sorted(files_of.items())},
        problems=_problems(facts),
        notes=sources.notes(),
        commits=len(history),
    )


def _owners(files: Sequence[str], configuration: Configuration | None) -> dict[str, str]:
    assert configuration is not None
    boundaries = Boundaries(configuration.streams, configuration.generated)
    return {path: owner for path in files if (owner := boundaries.owner(path)) is not None}


def _planned(chosen: Proposal | None) -> dict[str, str]:
    return {path: plan.name for plan in chosen.streams for path in plan.files} if chosen is not None else {}


def _problems(facts: Mapping[str, FileFacts]) -> tuple[Problem, ...]:
    found = (Problem(path=path, reason=fact.problem) for path, fact in facts.items() if fact.problem)
    return tuple(sorted(found, key=lambda problem: problem.path))


def _drift(
    declared: Sequence[Stream], edges: Sequence[Edge], owner_of: Mapping[str, str]
) -> tuple[Drift, ...]:
    """Compare what streams declare to depend on with what their files import."""
    real: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (importer, imported), count in weights_between(edges, owner_of.get).items():
        real[importer][imported] = count
    return tuple(
        Drift(
            stream=name,
            declared=others,
            missing=tuple(
                sorted(
                    ((other, count) for other, count in real[name].items() if other not in others),
                    key=lambda item: (-item[1], item[0]),
                )
            ),
            unused=tuple(other for other in others if other not in real[name]),
        )
        for name, others in needs(declared).items()
        if set(others) != set(real[name])
    )


def _declared_phases(configuration: Configuration | None) -> tuple[tuple[str, ...], ...]:
    if configuration is None or not configuration.streams:
        return ()
    found = merge_phases(configuration.streams, (), configuration.merge.phases)
    return tuple(tuple(name for group in phase for name in group) for phase in found)


def planned_streams(proposal: Proposal) -> tuple[Stream, ...]:
    """Return a proposal as streams of a configuration."""
    return tuple(_stream(plan) for plan in proposal.streams)


def _stream(plan: StreamPlan) -> Stream:
    return Stream(
        name=plan.name,
        description=plan.description,
        files_pattern=plan.files_pattern,
        max_agents=max(2, plan.team_size),
        dependencies=plan.dependencies,
        test_pattern=plan.test_pattern,
    )


def document(analysis: Analysis) -> dict[str, Any]:
    """Return the document of ``analyze --json`` (DESIGN §7): streams are the declared ones, else the proposed ones."""
    layers: defaultdict[int, list[str]] = defaultdict(list)
    for module in analysis.modules:
        layers[module.layer].append(module.path)
    return {
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
        "cycles_cut": analysis.cuts,
        "critical_files": [
            {
                "path": one.path,
                "risk": one.risk,
                "users": one.users,
                "tests": one.tests,
                "streams": one.streams,
                "changes": one.changes,
                "score": one.score,
                "reason": one.reason,
            }
            for one in analysis.critical
        ],
        "streams": _streams_document(analysis),
        "declared": bool(analysis.declared),
        "merge_phases": analysis.declared_phases
        if analysis.declared
        else analysis.chosen.phases
        if analysis.chosen
        else (),
        "uncovered": analysis.uncovered,
        "drift": analysis.drift,
        "proposals": [
            {
                "method": plan.method,
                "streams": [one.name for one in plan.streams],
                "cut_pct": plan.cut_pct,
                "locality_pct": plan.locality_pct,
                "commits": plan.commits,
                "shared": plan.shared,
                "uncovered": len(plan.uncovered),
                "circles": plan.circles,
            }
            for plan in analysis.proposals
        ],
        "problems": analysis.problems[:PROBLEMS_TOLD],
        "notes": analysis.notes,
        "commits": analysis.commits,
    }


def _streams_document(analysis: Analysis) -> dict[str, Any]:
    plans = {plan.name: plan for plan in analysis.chosen.streams} if analysis.chosen else {}
    if analysis.declared:
        return {
            stream.name: {
                "files_pattern": stream.files_pattern,
                "description": stream.description,
                "dependencies": stream.dependencies,
                "test_pattern": stream.test_pattern,
                "max_agents": stream.max_agents,
                "files": len(analysis.files_of.get(stream.name, ())),
                "team_size": team_size(len(analysis.files_of.get(stream.name, ()))),
            }
            for stream in analysis.declared
        }
    return {
        stream.name: {
            "files_pattern": stream.files_pattern,
            "description": stream.description,
            "dependencies": stream.dependencies,
            "test_pattern": stream.test_pattern,
            "max_agents": stream.max_agents,
            "files": len(plans[stream.name].files),
            "team_size": plans[stream.name].team_size,
            "independence_pct": plans[stream.name].independence_pct,
        }
        for stream in (planned_streams(analysis.chosen) if analysis.chosen else ())
    }
