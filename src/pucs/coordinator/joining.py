"""Merging two commits: git's lines first, then the merge room where git stops, its guards on either (DESIGN §3.9, §6).

What it settles is told file by file, so that it can be looked at later; what it leaves is told with place and reason.
Nothing is written but objects. Everything here runs outside any transaction and is bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pucs.core.resources import file_path
from pucs.crosslog.records import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.coordinator.context import Context, Unit
    from pucs.coordinator.records import Merged, Stages
    from pucs.core.resources import Resource
    from pucs.merge.merging import LineMerge
    from pucs.merge.records import Merged as MergedFile
    from pucs.merge.records import Resolution, Versions

MERGED_BY_RULE = "merged by rule"
"""Action of the entry about each file that the merge room settled."""
FILES_MAX = 40
"""Files of one merge that are looked into: more of them in conflict are two lines of work for people to bring together."""
TIME_MAX_S = 20.0
"""Longest time for all of them; one takes at most about a second."""
PLACES_NAMED = 3
"""Places of one file that a reason names."""
PLACES_KEPT = 100
"""Places of one file that its entry tells, the first ones: an entry is read, and carried by an intention."""
REASONS_SAID = 5
"""Reasons told in a message; documents hold more."""
_MARKERS = re.compile(rb"(?m)^(?:<{7,}|>{7,}) ")
"""A version with markers is itself a merge that conflicts: git makes such a base where histories cross."""
_OFF = "merging by syntax is switched off (conflict_resolution.auto_merge)"
_SAME_LINES = "both sides change the same lines of"
_TROUBLES = {
    "modify/delete": "one side changed it, the other deleted it",
    "rename/delete": "one side renamed it, the other deleted it",
    "rename/rename": "both sides renamed it",
    "contents": "it is not a plain file in the same place on both sides",
    "binary": "both sides changed it, and it has no lines to merge",
}
"""What git's names for conflicts mean; others stand for themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A file that both sides changed in the same places and the merge room merged."""

    file: Resource
    tier: str
    """``auto`` or ``review``."""
    resolutions: tuple[Resolution, ...]

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules that did it."""
        return tuple(dict.fromkeys(one.resolver for one in self.resolutions))

    def document(self, commit: str) -> dict[str, Any]:
        """Return it as an intention carries it and its entry tells it."""
        return {
            "file": self.file,
            "commit": commit,
            "tier": self.tier,
            "rules": list(self.rules),
            "places": [
                {
                    "rule": one.resolver,
                    "tier": one.tier.value,
                    "first_line": one.first_line,
                    "lines": one.lines,
                    "entity": one.entity,
                }
                for one in self.resolutions[:PLACES_KEPT]
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The outcome of merging two commits."""

    tree: str = ""
    """Tree of the result; empty if it conflicts."""
    conflicts: tuple[str, ...] = ()
    """Paths (as canonical path resources) in conflict."""
    reasons: tuple[str, ...] = ()
    """Why, path by path."""
    settled: tuple[Settled, ...] = ()
    """What the merge room merged."""
    proposal: str = ""
    """Of a conflict: the tree that it would be with guesses; empty: nobody has one."""
    guesses: tuple[Settled, ...] = ()
    """The files of the proposal."""

    def documents(self, commit: str) -> list[dict[str, Any]]:
        """Return what was settled as an intention carries it."""
        return [one.document(commit) for one in self.settled]

    def told(self, what: str) -> str:
        """Return what happened as a sentence, the paths named, and the first reasons behind it."""
        more = [f"{len(self.reasons) - REASONS_SAID} more"] if len(self.reasons) > REASONS_SAID else []
        why = "; ".join([*self.reasons[:REASONS_SAID], *more])
        guess = ", ".join(dict.fromkeys(rule for one in self.guesses for rule in one.rules))
        proposed = f" There is a guess at how to merge it ({guess})." if guess else ""
        return f"{what}: {', '.join(self.conflicts)}.{f' Why: {why}.' if why else ''}{proposed}"

    def but(self, paths: Sequence[str], reason: str) -> Joined:
        """Return it as a conflict in these paths, if there are any."""
        if not paths:
            return self
        return Joined(conflicts=tuple(paths), reasons=tuple(f"{path}: {reason}" for path in paths))


def join(context: Context, ours: str, theirs: str, *, accept: str = "") -> Joined:
    """Merge two commits; ``accept`` (``auto`` or ``review``) instead of what the configuration says.

    Without ``accept``, ``conflict_resolution.auto_merge`` switches off what is beyond git's lines; the guards stay.
    """
    merged = context.repository.merge(ours, theirs)
    if not merged.conflicts:
        return _guarded(context, merged, (ours, theirs), Joined(tree=merged.tree))
    if not accept:
        with context.store.read() as tx:
            configuration = tx.sessions.configuration()
        if not configuration.auto_merge:
            return Joined(conflicts=merged.conflicts, reasons=(_OFF,))
        accept = configuration.merge.accept
    return _settled(context, merged, (ours, theirs), accept)


def log_settled(opened: Unit, documents: Iterable[Mapping[str, Any]], *, agent: str, stream: str) -> None:
    """Write what the merge room merged into the cross-log, in the transaction that brings it in.

    The change of the file is the landing's entry; these tell how it came about, and count as no change of their own.
    """
    for each in documents:
        details = {name: value for name, value in each.items() if name != "file"}
        opened.log(
            MERGED_BY_RULE, agent=agent, stream=stream, level=Level.INFO, files=[each["file"]], **details
        )


def _guarded(context: Context, merged: Merged, sides: tuple[str, str], joined: Joined) -> Joined:
    """Return a merge, or a conflict where the guards have something against what git made of a file's lines."""
    from pucs.merge.languages import of  # noqa: PLC0415 - only where both sides changed a file
    from pucs.merge.merging import LineMerge, merge  # noqa: PLC0415
    from pucs.merge.records import Versions  # noqa: PLC0415

    paths = [path for path in merged.both if of(file_path(path)) is not None][:FILES_MAX]
    base = context.repository.merge_base(*sides) if paths else None
    if base is None:
        return joined
    until_s = _now(context) + TIME_MAX_S
    reasons: dict[str, str] = {}
    for path in paths:
        if _now(context) > until_s:
            break  # git's word stands for the rest, as it does for files that nobody can read
        names = [f"{tree}:{file_path(path)}" for tree in (base, *sides, joined.tree)]
        before, ours, theirs, result = context.repository.blobs(names)
        if before is None or ours is None or theirs is None or result is None:
            continue  # it has another name somewhere
        found = merge(file_path(path), Versions(before, ours, theirs), LineMerge(result, 0)).objections
        if found:
            reasons[path] = f"{path}: {'; '.join(found[:PLACES_NAMED])}"
    if not reasons:
        return joined
    return Joined(conflicts=tuple(reasons), reasons=tuple(reasons.values()))


def _settled(context: Context, merged: Merged, sides: tuple[str, str], accept: str) -> Joined:
    known = {stages.path: stages for stages in merged.stages}
    reasons = {
        path: f"{path or 'the files'}: {', '.join(_TROUBLES.get(kind, kind) for kind in kinds) or 'it conflicts'}"
        for path, kinds in merged.troubles.items()
        if path not in known
    }
    until_s = _now(context) + TIME_MAX_S
    made: dict[Resource, tuple[Settled, bytes]] = {}
    guessed: dict[Resource, tuple[Settled, bytes]] = {}
    for number, (path, stages) in enumerate(known.items()):
        if number >= FILES_MAX or _now(context) > until_s:
            reasons[path] = f"{path}: there are too many conflicts to look into"
            continue
        result, guess = _file(context, stages, merged.marked, accept)
        if isinstance(result, str):
            reasons[path] = result
        else:
            made[path] = result
        if guess is not None:
            guessed[path] = guess
    if not reasons:
        tree = _tree(context, merged, made)
        done = Joined(tree=tree, settled=tuple(one for one, _ in made.values()))
        return _guarded(context, merged, sides, done)
    found = Joined(conflicts=merged.conflicts, reasons=tuple(reasons.values())[:FILES_MAX])
    if reasons.keys() != guessed.keys():
        return found
    tree = _tree(context, merged, made | guessed)
    proposal = _guarded(context, merged, sides, Joined(tree=tree))
    files = tuple(one for one, _ in (made | guessed).values())
    return replace(found, proposal=proposal.tree, guesses=files if proposal.tree else ())


def _file(
    context: Context, stages: Stages, marked: str, accept: str
) -> tuple[tuple[Settled, bytes] | str, tuple[Settled, bytes] | None]:
    """Merge one file: return it, or why it conflicts with the guess that there is, if any."""
    from pucs.merge.languages import of  # noqa: PLC0415 - only where there is a conflict
    from pucs.merge.merging import LineMerge, merge  # noqa: PLC0415
    from pucs.merge.records import Tier, Versions  # noqa: PLC0415

    path = file_path(stages.path)
    if of(path) is None:
        return f"{_SAME_LINES} {path}", None
    names = (stages.base, stages.ours, stages.theirs, f"{marked}:{path}")
    base, ours, theirs, lines = context.repository.blobs(names)
    if base is None or ours is None or theirs is None or lines is None:
        return f"{path}: it is too large to look into", None
    if any(_MARKERS.search(version) for version in (base, ours, theirs)):
        return f"{path}: a version of it holds conflict markers", None
    given = Versions(base, ours, theirs)
    gits = LineMerge(lines, max(1, len(re.findall(rb"(?m)^<{7} ", lines))))
    result = merge(path, given, gits, accept=Tier(accept))
    if result.clean:
        return (_of(stages.path, result), result.content), None
    return _why(stages.path, result), _guess(stages.path, given, gits) if Tier(accept) is Tier.AUTO else None


def _guess(path: Resource, versions: Versions, lines: LineMerge) -> tuple[Settled, bytes] | None:
    from pucs.merge.merging import merge  # noqa: PLC0415
    from pucs.merge.records import Tier  # noqa: PLC0415

    result = merge(file_path(path), versions, lines, accept=Tier.REVIEW)
    return (_of(path, result), result.content) if result.clean else None


def _of(path: Resource, result: MergedFile) -> Settled:
    return Settled(file=path, tier=result.tier.value, resolutions=result.resolutions)


def _why(path: Resource, result: MergedFile) -> str:
    """Return what is left of a file's conflicts: where, and why nothing settled it."""
    places = [
        " ".join([
            *([f"in {one.entity}"] if one.entity else []),
            *([f"({one.reason})"] if one.reason else []),
        ])
        for one in result.conflicts
    ]
    named = list(filter(None, dict.fromkeys(places)))
    more = [f"and {len(named) - PLACES_NAMED} more places"] if len(named) > PLACES_NAMED else []
    return ", ".join([f"{_SAME_LINES} {path}", *named[:PLACES_NAMED], *more])


def _tree(context: Context, merged: Merged, made: Mapping[Resource, tuple[Settled, bytes]]) -> str:
    modes = {stages.path: stages.mode for stages in merged.stages}
    files = {path: (modes[path], content) for path, (_, content) in made.items()}
    return context.repository.tree_replacing(merged.marked, files)


def _now(context: Context) -> float:
    return context.clock.now().boot_s
