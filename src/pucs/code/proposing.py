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

from pucs.code.communities import communities
from pucs.code.critical import users_of
from pucs.code.dividing import divided
from pucs.code.patterns import escaped, patterns
from pucs.code.records import Method, Proposal, StreamPlan
from pucs.code.structure import independence_pct, module_names, phases, weights_between
from pucs.core.sources import is_code, is_source, is_test

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pucs.code.resolving import Code, Edge

WHOLE: Final = "main"
"""The one stream of a repository without directories."""
STREAMS_MAX: Final = 30
"""Most streams proposed; the smallest beyond are reported as uncovered."""
COMMITS_MIN: Final = 20
"""Commits over several source files that a statement about history needs at least."""
_SHARED_BY: Final = 4
"""A file that this many other groups use belongs to none of them."""
_FILES_PER_AGENT: Final = 12
_TEAM_MAX: Final = 6
_WORD: Final = re.compile(r"[^\W_]+")
_FORBIDDEN_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class _Division:
    """Who owns which file."""

    owner_of: Mapping[str, str]
    shared: Collection[str] = ()
    """Files set aside because all use them."""
    home_of: Mapping[str, str] = field(default_factory=dict)
    """The directory that makes a stream, where one does."""


def proposals(
    code: Code, edges: Sequence[Edge], files: Sequence[str], history: Sequence[Collection[str]]
) -> tuple[Proposal, ...]:
    """Return one proposal for each method that finds at least one stream.

    Args:
        code: The repository.
        edges: Its imports.
        files: Every tracked file, of any kind.
        history: The paths that each commit changed, merges left out.
    """
    sources = [path for path in files if is_source(path)]
    lists = {
        Method.DIRECTORIES: _by_directory(sources),
        Method.IMPORTS: _by_imports(code, edges, sources),
    }
    return tuple(
        _Plan(code, edges, files, method, division).proposal(history)
        for method, division in lists.items()
        if division.owner_of
    )


def _by_directory(sources: Sequence[str]) -> _Division:
    """Return the stream of each file, named after its directory; without directories there is one, ``main``."""
    directory_of = divided(sources, STREAMS_MAX)
    if not directory_of:
        return _Division(dict.fromkeys(sources, WHOLE))
    kept = sorted(set(directory_of.values()))
    names = dict(zip(kept, _names(kept), strict=True))
    return _Division(
        {path: names[directory] for path, directory in directory_of.items()},
        home_of={name: directory for directory, name in names.items()},
    )


def _by_imports(code: Code, edges: Sequence[Edge], sources: Sequence[str]) -> _Division:
    """Return the stream of each file, and the files that were set aside because all use them."""
    known = [path for path in sources if path in code.facts]
    module_of = module_names(known)
    shared = frozenset(
        path
        for path, users in users_of(code).items()
        if path in module_of
        and len({module_of[user] for user in users if user in module_of} - {module_of[path]}) >= _SHARED_BY
    )
    groups = communities([path for path in known if path not in shared], edges)[:STREAMS_MAX]
    names = _names([_home(group) for group in groups])
    owner_of = {path: name for name, group in zip(names, groups, strict=True) for path in group}
    return _Division(owner_of, shared)


def _home(group: Sequence[str]) -> str:
    """Return what a group of files is called after: the deepest directory that holds most of them."""
    counts = Counter[str]()
    for path in group:
        parts = path.split("/")[:-1]
        counts.update("/".join(parts[: depth + 1]) for depth in range(len(parts)))
    most = [directory for directory, count in counts.items() if 2 * count > len(group)]
    return max(
        most, key=lambda directory: (directory.count("/"), directory), default=group[0].partition("/")[0]
    )


def _names(directories: Sequence[str]) -> list[str]:
    """Return a stream name for each directory: its own name, with its parent's, or a number, where two would be the same."""
    own = [_name(directory.rpartition("/")[2]) for directory in directories]
    often = Counter(name.lower() for name in own)
    found: list[str] = []
    taken = {"all"}
    for directory, last in zip(directories, own, strict=True):
        name = last if often[last.lower()] == 1 else _name("-".join(directory.split("/")[-2:]))
        wanted, number = name, 2
        while name.lower() in taken:
            name, number = f"{wanted}-{number}", number + 1
        taken.add(name.lower())
        found.append(name)
    return found


def _name(text: str) -> str:
    return _FORBIDDEN_IN_NAME.sub("-", text.rpartition(".")[0] or text).strip("-_")[:48] or "part"


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
        self._home_of = division.home_of
        self._files = files
        self._members: defaultdict[str, list[str]] = defaultdict(list)
        self._owners_below: defaultdict[str, set[str]] = defaultdict(set)
        for path, owner in sorted(self._owner_of.items()):
            self._members[owner].append(path)
            directory = path
            while directory := directory.rpartition("/")[0]:
                self._owners_below[directory].add(owner)

    def proposal(self, history: Sequence[Collection[str]]) -> Proposal:
        """Return it with its figures."""
        weights = weights_between(self._edges, self._owner_of.get)
        order, circles = phases(self._members, weights)
        dependencies: defaultdict[str, list[str]] = defaultdict(list)
        for importer, imported in sorted(weights.keys() - set(circles)):
            dependencies[importer].append(imported)
        others = [path for path in self._files if is_source(path) and path not in self._owner_of]
        own = patterns(self._owner_of, nobodys=others)
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
        stays, commits = locality(history, self._owner_of)
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
            locality_pct=round(100 * stays / commits, 1) if commits >= COMMITS_MIN else None,
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
        """Return what the package of a stream says of itself, or what it is called after."""
        home = self._home_of.get(name) or _home(members)
        if "/" not in members[0] and self._members.keys() == {WHOLE}:
            return "The whole repository."
        facts = self._code.facts.get(f"{home}/__init__.py")
        said = facts.description.rstrip(".") if facts is not None else ""
        return (
            f"{said}."
            if said
            else f"Mostly {home}/."
            if self._method is Method.IMPORTS
            else f"Everything below {home}/."
        )


def team_size(files: int) -> int:
    """Return how many agents find separate work in a stream: one for every dozen files, at least one, at most six."""
    return max(1, min(_TEAM_MAX, round(files / _FILES_PER_AGENT)))


def locality(history: Sequence[Collection[str]], owner_of: Mapping[str, str]) -> tuple[int, int]:
    """Return how many commits over several files of streams stay in one stream, and how many such commits there are."""
    stays = total = 0
    for changed in history:
        owners = [owner_of[path] for path in changed if path in owner_of]
        if len(owners) > 1:
            total += 1
            stays += len(set(owners)) == 1
    return stays, total
