"""Proposes streams: by directories, and by who imports whom, each with figures to choose by.

No single method is best everywhere. Directories are what people expect and can be written as a few patterns; import
communities keep commits together better where directories are layers. Both are told with the share of imports that they
cut and the share of past commits that would have stayed in one stream.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from pucs.code.communities import communities
from pucs.code.critical import users_of
from pucs.code.patterns import patterns
from pucs.code.records import Method, Proposal, StreamPlan
from pucs.code.structure import independence_pct, module_names, phases, weights_between
from pucs.core.sources import is_code, is_source, is_test

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pucs.code.resolving import Code, Edge

STREAMS_MAX: Final = 30
"""Most streams proposed; the smallest beyond are reported as uncovered."""
COMMITS_MIN: Final = 20
"""Commits over several source files that a statement about history needs at least."""
_FILES_MIN: Final = 2
_SHARED_BY: Final = 4
"""A file that this many other groups use belongs to none of them."""
_FILES_PER_AGENT: Final = 12
_TEAM_MAX: Final = 6
_PATTERNS_MAX: Final = 40
_FORBIDDEN_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")


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
        Method.DIRECTORIES: (_by_directory(sources), frozenset[str]()),
        Method.IMPORTS: _by_imports(code, edges, sources),
    }
    return tuple(
        _Plan(code, edges, files, method, division).proposal(history)
        for method, division in lists.items()
        if division[0]
    )


def _by_directory(sources: Sequence[str]) -> dict[str, str]:
    """Return the stream of each file: the name of its module's directory; small ones and single files are left out."""
    module_of = module_names(sources)
    often = Counter(module_of.values())
    kept = [module for module, count in often.most_common() if count >= _FILES_MIN][:STREAMS_MAX]
    names = dict(zip(sorted(kept), _names(sorted(kept)), strict=True))
    return {path: names[module] for path, module in module_of.items() if module in names}


def _by_imports(
    code: Code, edges: Sequence[Edge], sources: Sequence[str]
) -> tuple[dict[str, str], frozenset[str]]:
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
    return {path: name for name, group in zip(names, groups, strict=True) for path in group}, shared


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


class _Plan:
    """One division on its way to a proposal."""

    def __init__(
        self,
        code: Code,
        edges: Sequence[Edge],
        files: Sequence[str],
        method: Method,
        division: tuple[Mapping[str, str], Collection[str]],
    ) -> None:
        self._code = code
        self._edges = edges
        self._method = method
        self._owner_of, self._shared = division
        self._files = files
        self._members: defaultdict[str, list[str]] = defaultdict(list)
        for path, owner in sorted(self._owner_of.items()):
            self._members[owner].append(path)

    def proposal(self, history: Sequence[Collection[str]]) -> Proposal:
        """Return it with its figures."""
        weights = weights_between(self._edges, self._owner_of.get)
        order, circles = phases(self._members, weights)
        dependencies: defaultdict[str, list[str]] = defaultdict(list)
        for importer, imported in sorted(weights.keys() - set(circles)):
            dependencies[importer].append(imported)
        others = [path for path in self._files if is_source(path) and path not in self._owner_of]
        own = patterns(self._owner_of, nobodys=others)
        tests = patterns(
            self._owners_of_tests(),
            nobodys=[path for path in self._files if is_code(path) and not is_test(path)],
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
                    description=self._description(members),
                    dependencies=tuple(dependencies[name]),
                    test_pattern=tests.get(name, ())[:_PATTERNS_MAX],
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
        """Return the stream of each test: the one that it imports most."""
        ties: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for edge in self._edges:
            if is_test(edge.importer) and (owner := self._owner_of.get(edge.imported)):
                ties[edge.importer][owner] += 1
        found: dict[str, str] = {}
        for path in self._files:
            if not is_test(path) or path.rpartition("/")[2].startswith("conftest."):
                continue
            if ties[path]:
                found[path] = max(ties[path], key=lambda owner: (ties[path][owner], owner))
        return found

    def _description(self, members: Sequence[str]) -> str:
        """Return what the package of a stream says of itself, or what it is called after."""
        home = _home(members)
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
