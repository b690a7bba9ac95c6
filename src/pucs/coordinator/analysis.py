"""Puts together what a repository's code says about parallel work: ``pucs analyze``, and what ``pucs init`` writes.

Needs no session and no store. Nothing analysed is imported or executed. What is told follows from the tracked files of the
checkout as they are now, its configuration if it has one, and the newest ``COMMITS_MAX`` commits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pucs.code.critical import critical_files
from pucs.code.proposing import proposals, team_size
from pucs.code.records import Drift, Method
from pucs.code.structure import independence_pct, module_names, modules, weights_between
from pucs.coordinator.indexing import indexed, resolved
from pucs.core.sources import is_code, is_test
from pucs.streams.boundaries import Boundaries
from pucs.streams.dependencies import needs
from pucs.streams.phases import merge_phases
from pucs.streams.records import Stream
from pucs.syntax.reading import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pucs.code.records import CriticalFile, Cut, Module, Proposal, StreamPlan
    from pucs.code.resolving import Edge
    from pucs.coordinator.ports import Index, Parsers, Sources
    from pucs.coordinator.records import Parsed
    from pucs.streams.settings import Configuration
    from pucs.syntax.facts import FileFacts

COMMITS_MAX: Final = 2000
"""Newest commits that are looked at: older ones tell of another architecture."""
CLOSE_PCT: Final = 5.0
"""Proposals whose share of commits in one stream, or twice this of imports cut, differs by less are alike."""
LOPSIDED_PCT: Final = 60
"""A proposal with more than this share of its files in one stream divides too little to choose it for its figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file that could not be read in full."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a stream, declared or of the chosen proposal, has."""

    files: int
    """Files of code, tests apart, that its patterns cover."""
    lines: int
    independence_pct: int
    """100 * imports that stay inside / its imports of files of any stream; 100 where it makes none."""
    team_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Which proposal to take."""

    method: Method
    reason: str
    """Why, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything that an analysis finds."""

    files: int
    """Files of code in the checkout, tests included."""
    lines: int
    """Lines of those that were read."""
    unread: Mapping[str, int]
    """Files of code in languages that are not read, by the ending of their names: counted, without imports."""
    skipped: int
    """Files that would have been read, had there been time."""
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
    shares: Mapping[str, Share]
    """What each such stream has."""
    advice: Advice | None
    left: Mapping[Method, int]
    """Files of code, tests apart, that no pattern of a proposal covers."""
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
    enough: Callable[[], bool] = lambda: False,
) -> Analysis:
    """Return the analysis of a checkout.

    Args:
        sources: Its files.
        index: Where facts of files are kept between calls.
        parsers: Who tells them.
        configuration: What its owner has declared; None: nothing yet.
        method: The proposal to take for streams where nothing is declared.
        told: Hears how many of the files that had to be parsed are done.
        enough: Asked after each file that had to be parsed; once it says so, no more are.
    """
    listing = sources.listing()
    facts = indexed(sources, index, _Patient(parsers, enough), listing=listing, told=told)
    files = list(listing)
    history = sources.history(COMMITS_MAX)
    changed = [paths for _, paths in history]
    code = resolved(sources, listing, facts)
    edges = code.edges()
    module_of = module_names(files)
    found, cuts = modules(edges, module_of, {path: fact.lines for path, fact in facts.items()})
    plans = proposals(code, edges, files, history)
    chosen = next((plan for plan in plans if plan.method is method), plans[0] if plans else None)
    declared = configuration.streams if configuration is not None else ()
    own = [path for path in files if is_code(path) and not is_test(path)]
    owner_of = _owners(own, configuration) if declared else _planned(own, chosen)
    unread = [path for path in files if is_code(path) and path not in facts]
    names = [stream.name for stream in declared or (chosen.streams if chosen is not None else ())]
    return Analysis(
        files=sum(map(is_code, files)),
        lines=sum(fact.lines for fact in facts.values()),
        unread=dict(Counter(_ending(path) for path in unread if not reader(path)).most_common()),
        skipped=sum(reader(path) != "" for path in unread),
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
        uncovered=tuple(path for path in own if path not in owner_of),
        ties=dict(sorted(weights_between(edges, owner_of.get).items())),
        shares=_shares(names, edges, owner_of, facts),
        advice=_advice(plans),
        left={plan.method: len(own) - len(_planned(own, plan)) for plan in plans},
        problems=_problems(facts),
        notes=sources.notes(),
        commits=len(history),
    )


class _Patient:
    """Parsers that stop once there was enough of it."""

    def __init__(self, parsers: Parsers, enough: Callable[[], bool]) -> None:
        self._parsers, self._enough = parsers, enough

    def parsed(self, root: str, files: Mapping[str, str]) -> Iterator[Parsed]:
        """Give the packed facts of files, as long as there is time."""
        if self._enough():
            return
        found = self._parsers.parsed(root, files)
        with closing(found) if isinstance(found, Generator) else nullcontext():
            for one in found:
                yield one
                if self._enough():
                    return


def _ending(path: str) -> str:
    return path.rpartition(".")[2].lower()


def _owners(files: Sequence[str], configuration: Configuration | None) -> dict[str, str]:
    assert configuration is not None
    boundaries = Boundaries(configuration.streams, configuration.generated)
    return {path: owner for path in files if (owner := boundaries.owner(path)) is not None}


def _planned(files: Sequence[str], chosen: Proposal | None) -> dict[str, str]:
    """Return the stream of each file: planned for it, or because a pattern covers it as well, as it will be in use."""
    if chosen is None:
        return {}
    found = {path: plan.name for plan in chosen.streams for path in plan.files}
    boundaries = Boundaries(planned_streams(chosen))
    for path in files:
        if path not in found and (owner := boundaries.owner(path)) is not None:
            found[path] = owner
    return found


def _shares(
    names: Sequence[str], edges: Sequence[Edge], owner_of: Mapping[str, str], facts: Mapping[str, FileFacts]
) -> dict[str, Share]:
    files, lines, inner, outer = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for path, owner in owner_of.items():
        files[owner] += 1
        lines[owner] += facts[path].lines if path in facts else 0
    for edge in edges:
        importer, imported = owner_of.get(edge.importer), owner_of.get(edge.imported)
        if importer and imported:
            (inner if importer == imported else outer)[importer] += 1
    return {
        name: Share(
            files=files[name],
            lines=lines[name],
            independence_pct=independence_pct(inner[name], outer[name]),
            team_size=team_size(files[name]),
        )
        for name in names
    }


def largest_pct(plan: Proposal) -> int:
    """Return the share of a proposal's files that its largest stream has, in percent."""
    sizes = [len(stream.files) for stream in plan.streams]
    return round(100 * max(sizes, default=0) / (sum(sizes) or 1))


def _advice(plans: Sequence[Proposal]) -> Advice | None:
    """Tell which proposal to take: by the past if it says something, else by imports; alike: what people know.

    One that leaves most of the code in one stream is taken only where the other does as well.
    """
    by_method = {plan.method: plan for plan in plans}
    known = by_method.get(Method.DIRECTORIES)
    other = by_method.get(Method.IMPORTS)
    if known is None or other is None:
        only = known or other
        return None if only is None else Advice(method=only.method, reason="Nothing else was found.")
    lopsided = [plan for plan in (known, other) if largest_pct(plan) > LOPSIDED_PCT]
    if len(lopsided) == 1:
        better = other if lopsided[0] is known else known
        return Advice(
            method=better.method,
            reason=f"The other leaves {largest_pct(lopsided[0])} % of the files in one stream.",
        )
    if known.locality_pct is not None and other.locality_pct is not None:
        gain = other.locality_pct - known.locality_pct
        if abs(gain) >= CLOSE_PCT:
            better, worse = (other, known) if gain > 0 else (known, other)
            return Advice(
                method=better.method,
                reason=f"Of past commits, {better.locality_pct:.0f} % would have stayed in one stream, "
                f"with the other {worse.locality_pct:.0f} %.",
            )
    if known.cut_pct - other.cut_pct >= 2 * CLOSE_PCT:
        past = "" if known.locality_pct is not None else "; the history is too short to say more"
        return Advice(
            method=Method.IMPORTS,
            reason=f"It cuts {other.cut_pct:.0f} % of the imports instead of {known.cut_pct:.0f} %{past}.",
        )
    return Advice(
        method=Method.DIRECTORIES,
        reason="The figures are alike, and everybody knows the directories.",
    )


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
