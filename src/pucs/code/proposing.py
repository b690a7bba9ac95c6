"""Proposes streams: by directories, and by who imports whom, each with figures to choose by.

No single method is best everywhere. Directories are what people expect and can be written as a few patterns; import
communities keep commits together better where directories are layers. Both are told with the share of imports that they
cut and the share of past commits that would have stayed in one stream.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pucs.code.communities import adopted, communities
from pucs.code.critical import users_of
from pucs.code.dividing import divided
from pucs.code.locality import JUDGED_MIN, Work, staying, together, work
from pucs.code.naming import called, directory_names
from pucs.code.patterns import escaped, patterns
from pucs.code.records import Method, Proposal, StreamPlan
from pucs.code.structure import independence_pct, module_names, phases, weights_between
from pucs.core.sources import is_code, is_source, is_test

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pucs.code.naming import Called
    from pucs.code.resolving import Code, Edge

WHOLE: Final = "main"
"""The one stream of a repository without directories."""
STREAMS_MAX: Final = 30
"""Most streams proposed; the smallest beyond are reported as uncovered."""
SHARED_BY: Final = 4
"""A file that so many modules besides its own use belongs to none of the import communities: all share it."""
SHARED_SHARE: Final = 0.05
"""Most files set aside so, those that the most modules use: what is shared has no boundary to protect it."""
_FILES_PER_AGENT: Final = 12
_TEAM_MAX: Final = 6
_WORD: Final = re.compile(r"[^\W_]+")
_PLACES_TOLD: Final = 3


@dataclass(frozen=True, slots=True)
class _Division:
    """Who owns which file."""

    owner_of: Mapping[str, str]
    shared: Collection[str] = ()
    """Files set aside because all use them."""
    home_of: Mapping[str, str] = field(default_factory=dict)
    """The directory that makes a stream, where one does."""
    called: Mapping[str, Called] = field(default_factory=dict)
    """What a stream is called after, where no directory makes it."""
    stays: int = 0
    """Commits that stay in one stream, of those that judge."""


def proposals(
    code: Code, edges: Sequence[Edge], files: Sequence[str], history: Sequence[tuple[int, Collection[str]]]
) -> tuple[Proposal, ...]:
    """Return one proposal for each method that finds at least one stream.

    Args:
        code: The repository.
        edges: Its imports.
        files: Every tracked file, of any kind.
        history: Of each commit, merges left out and the newest first, its time in seconds and the paths it changed.
    """
    sources = sorted(path for path in files if is_source(path))
    past = work(history, sources)
    edges = sorted(edges, key=lambda edge: (edge.importer, edge.imported, edge.line))
    lists = {
        Method.DIRECTORIES: _by_directory(sources, past),
        Method.IMPORTS: _by_imports(code, edges, sources, past),
    }
    return tuple(
        _Plan(code, edges, sorted(files), method, division).proposal(past)
        for method, division in lists.items()
        if division.owner_of
    )


def _by_directory(sources: Sequence[str], past: Work) -> _Division:
    """Return the stream of each file, named after its directory; without directories there is one, ``main``."""
    directory_of = divided(sources, STREAMS_MAX)
    if not directory_of:
        return _Division(dict.fromkeys(sources, WHOLE), stays=len(past.judging))
    kept = sorted(set(directory_of.values()))
    names = dict(zip(kept, directory_names(kept), strict=True))
    owner_of = {path: names[directory] for path, directory in directory_of.items()}
    return _Division(
        owner_of,
        home_of={name: directory for directory, name in names.items()},
        stays=staying(past.judging, owner_of),
    )


def _by_imports(code: Code, edges: Sequence[Edge], sources: Sequence[str], past: Work) -> _Division:
    """Return the stream of each file, and the files that were set aside because all use them.

    Files that were often changed together are tied besides, where the history is long enough. Then the commits that stay
    are those of a division that does not know them yet: to judge it by what it has learnt would flatter it.
    """
    known = [path for path in sources if path in code.facts]
    shared = _shared(code, known)
    tied = [path for path in known if path not in shared]
    others = [path for path in sources if path not in code.facts]
    groups = adopted(communities(tied, edges, together(past.commits) if past.teaches else None), others)
    groups = groups[:STREAMS_MAX]
    names = called(groups, edges)
    owner_of = {path: each.name for each, group in zip(names, groups, strict=True) for path in group}
    judged = owner_of
    if past.teaches:
        before = adopted(communities(tied, edges, together(past.older)), others)[:STREAMS_MAX]
        judged = {path: str(number) for number, group in enumerate(before) for path in group}
    return _Division(
        owner_of,
        shared,
        called={each.name: each for each in names},
        stays=staying(past.judging, judged, shared),
    )


def _shared(code: Code, known: Sequence[str]) -> frozenset[str]:
    """Return the files that modules all over the repository use."""
    module_of = module_names(known)
    used_by = {
        path: len({module_of[user] for user in users if user in module_of} - {module_of[path]})
        for path, users in users_of(code).items()
        if path in module_of
    }
    most = sorted((-count, path) for path, count in used_by.items() if count >= SHARED_BY)
    return frozenset(path for _, path in most[: int(SHARED_SHARE * len(known))])


def _endings(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({f"*.{escaped(path.rpartition('.')[2])}" for path in paths}))


class _Plan:
    """One division on its way to a proposal."""

    def __init__(
        self,
        code: Code,
        edges: Sequence[Edge],
        files: Sequence[str],
        method: Method,
        division: _Division,
    ) -> None:
        self._code = code
        self._edges = edges
        self._method = method
        self._owner_of, self._shared = division.owner_of, division.shared
        self._home_of, self._called, self._stays = division.home_of, division.called, division.stays
        self._files = files
        self._members: defaultdict[str, list[str]] = defaultdict(list)
        self._owners_below: defaultdict[str, set[str]] = defaultdict(set)
        for path, owner in sorted(self._owner_of.items()):
            self._members[owner].append(path)
            directory = path
            while directory := directory.rpartition("/")[0]:
                self._owners_below[directory].add(owner)

    def proposal(self, past: Work) -> Proposal:
        """Return it with its figures."""
        weights = weights_between(self._edges, self._owner_of.get)
        order, circles = phases(self._members, weights)
        dependencies: defaultdict[str, list[str]] = defaultdict(list)
        for importer, imported in sorted(weights.keys() - set(circles)):
            dependencies[importer].append(imported)
        others = [path for path in self._files if is_source(path) and path not in self._owner_of]
        own = patterns(self._owner_of, nobodys=others, stems=self._method is Method.IMPORTS)
        # A directory above, even one with nothing else, is more than the stream was made of.
        for owner, home in self._home_of.items():
            if len(own[owner]) == 1 and own[owner][0].endswith("/"):
                own[owner] = (f"{escaped(home)}/",)
        if self._members.keys() == {WHOLE} and not any("/" in path for path in self._owner_of):
            own = {WHOLE: _endings(self._owner_of)}
        tests = patterns(
            self._owners_of_tests(),
            nobodys=[path for path in self._files if is_code(path) and not is_test(path)],
            stems=True,
        )
        inner, outer = self._inside_and_outside()
        commits = len(past.judging)
        return Proposal(
            method=self._method,
            streams=tuple(
                StreamPlan(
                    name=name,
                    files=tuple(members),
                    files_pattern=own[name],
                    description=self._description(name, members),
                    dependencies=tuple(dependencies[name]),
                    test_pattern=tests.get(name, ()),
                    independence_pct=independence_pct(inner[name], outer[name]),
                    team_size=team_size(len(members)),
                )
                for name, members in sorted(self._members.items())
            ),
            phases=order,
            shared=tuple(sorted(self._shared)),
            uncovered=tuple(
                sorted(
                    path
                    for path in self._files
                    if is_code(path)
                    and not is_test(path)
                    and path not in self._owner_of
                    and path not in self._shared
                )
            ),
            cut_pct=round(100 * sum(outer.values()) / ((sum(outer.values()) + sum(inner.values())) or 1), 1),
            locality_pct=round(100 * self._stays / commits, 1) if commits >= JUDGED_MIN else None,
            commits=commits,
            circles=tuple(circles),
        )

    def _inside_and_outside(self) -> tuple[Counter[str], Counter[str]]:
        inner, outer = Counter[str](), Counter[str]()
        for edge in self._edges:
            importer, imported = self._owner_of.get(edge.importer), self._owner_of.get(edge.imported)
            if importer and imported:
                (inner if importer == imported else outer)[importer] += 1
        return inner, outer

    def _owners_of_tests(self) -> dict[str, str]:
        """Return the stream of each test: whose directory it mirrors, else the one that it imports most."""
        ties: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for edge in self._edges:
            if is_test(edge.importer) and (owner := self._owner_of.get(edge.imported)):
                ties[edge.importer][owner] += 1
        found: dict[str, str] = {}
        for path in self._files:
            # What cannot be printed cannot stand in a configuration either.
            if not is_test(path) or path.rpartition("/")[2].startswith("conftest.") or not path.isprintable():
                continue
            if owner := self._mirrored(path):
                found[path] = owner
            elif ties[path]:
                found[path] = max(ties[path], key=lambda owner: (ties[path][owner], owner))
            elif owner := self._home_of_test(path):
                found[path] = owner
        return found

    def _mirrored(self, path: str) -> str:
        """Return the stream whose directory a test's directories repeat in the most parts; empty: none, or several."""
        above = path.split("/")[:-1]
        best, found = 0, ""
        for owner, directory in self._home_of.items():
            home = directory.split("/")
            length = next(
                (
                    length
                    for length in range(min(len(home), len(above)), 0, -1)
                    if any(above[at : at + length] == home[-length:] for at in range(len(above)))
                ),
                0,
            )
            if length > best:
                best, found = length, owner
            elif length == best:
                found = ""
        return found

    def _home_of_test(self, path: str) -> str:
        """Return the stream of a test that imports none: the one it lies in, or that its name speaks of; empty: none."""
        directory = path
        while directory := directory.rpartition("/")[0]:
            owners = self._owners_below.get(directory, set())
            if len(owners) == 1:
                return next(iter(owners))
        if self._members.keys() == {WHOLE}:
            return WHOLE
        words = _WORD.findall(path.rpartition("/")[2].rpartition(".")[0].lower())
        directories = [part.lower() for part in path.split("/")[:-1]]
        spoken = [name for name in self._members if name.lower() in (*words, *directories)]
        return spoken[0] if len(spoken) == 1 else ""

    def _description(self, name: str, members: Sequence[str]) -> str:
        """Return what the package of a stream says of itself, or what lies in it."""
        if "/" not in members[0] and self._members.keys() == {WHOLE}:
            return "The whole repository."
        known = self._called.get(name)
        home = known.directory if known is not None else self._home_of.get(name, "")
        facts = self._code.facts.get(f"{home}/__init__.py")
        said = facts.description.rstrip(".") if facts is not None else ""
        if said and (known is None or known.alike):
            return f"{said}."
        if known is None:
            return f"Everything below {home}/."
        around = f", around {known.centre}" if known.centre else ""
        if known.alike:
            return f"Mostly {home}/{around}."
        places = Counter(f"{path.rpartition('/')[0]}/" if "/" in path else path for path in members)
        told = sorted(places, key=lambda place: (-places[place], place))
        more = " and elsewhere" if len(told) > _PLACES_TOLD else ""
        return f"In {', '.join(told[:_PLACES_TOLD])}{more}{around}."


def team_size(files: int) -> int:
    """Return how many agents find separate work in a stream: one for every dozen files, at least one, at most six."""
    return max(1, min(_TEAM_MAX, round(files / _FILES_PER_AGENT)))
