"""Moves the users of a module or a name in a checkout to where it is now: ``pucs readiness --fix-imports``.

Needs no session and no store. A plan changes nothing; ``carry_out`` replaces the files of a plan.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from dataclasses import dataclass
from difflib import diff_bytes, unified_diff
from typing import TYPE_CHECKING, Any, Final

from pucs.code.migrating import all_migrated
from pucs.code.modules import is_python
from pucs.code.moves import move
from pucs.coordinator.indexing import indexed
from pucs.core.errors import PucsError, Refused
from pucs.syntax.facts import ImportKind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from pucs.code.migrating import Left, Migrated
    from pucs.code.moves import Move
    from pucs.coordinator.ports import Index, Parsers, Replacing, Sources

MENTIONS_MAX: Final = 50
"""Lines of other files that are named; a longer list is searched for by who needs it."""
MENTION_BYTES_MAX: Final = 1_000_000
_NAMED_MAX: Final = 5
_OTHER_ENDINGS: Final = (
    ".toml", ".cfg", ".ini", ".yaml", ".yml", ".md", ".rst", ".txt", ".sh",
)  # fmt: skip
"""Files that often name modules: entry points, settings, commands, documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What a move would change in a checkout."""

    old: str
    new: str
    files: tuple[Migrated, ...]
    """Files that change, by path."""
    left: tuple[Left, ...]
    """Places that still use the old side, or do not parse."""
    notes: tuple[str, ...]
    """What else to look at."""

    def diff(self) -> bytes:
        """Return the changes as a patch that ``git apply`` takes."""
        return b"".join(line for file in self.files for line in _patch(file))


def plan(
    sources: Sources,
    index: Index,
    parsers: Parsers,
    *,
    old: str,
    new: str,
    force: bool = False,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Migration:
    """Return what would change in the tracked files of a checkout.

    Args:
        sources: Its files.
        index: Where facts of files are kept between calls.
        parsers: Who tells them.
        old: Module, or name in one, as dotted name.
        new: Where it is now.
        force: Whether the new side may be missing.
        told: Hears how many of the files that had to be parsed are done.

    Raises:
        Usage: the two are not different things of one kind.
        NotFound: there is no such module or name.
    """
    listing = sources.listing()
    facts = indexed(sources, index, parsers, listing=listing, told=told)
    moved = move(facts, old, new, force=force)
    found = all_migrated(moved, _read(sources, [path for path in listing if is_python(path)]))
    files = tuple(one for one in found if one.after != one.before)
    notes = [
        *sources.notes(),
        *_circles(moved, [one.path for one in files]),
        *_mentions(sources, moved, listing, found),
    ]
    return Migration(
        old=old,
        new=new,
        files=files,
        left=tuple(sorted(place for one in found for place in one.left)),
        notes=tuple(notes),
    )


def carry_out(replacing: Replacing, migration: Migration, *, uncommitted: bool = False) -> tuple[str, ...]:
    """Replace the files of a plan, each as a whole; return their paths.

    Without ``uncommitted``, nothing is replaced if one of them has changes that no commit holds: what a commit holds
    can be had back.

    Raises:
        Refused: it has, or a file was changed since it was planned. Files before it are replaced; the message names them.
        EnvironmentFailure: a file cannot be written; the same holds.
    """
    paths = [one.path for one in migration.files]
    if not uncommitted and paths:
        changed = replacing.uncommitted()
        own = paths if changed is None else [path for path in paths if path in changed]
        if own:
            raise Refused(
                f"{_named(own)} {'has' if len(own) == 1 else 'have'} changes that are not committed. Nothing was written.",
                remedy="Commit them first, or let both mix with --uncommitted.",
                files=own,
            )
    done: list[str] = []
    for one in migration.files:
        try:
            replacing.replace(one.path, one.before, one.after)
        except PucsError as error:
            if done:
                error.message += f" Replaced before: {_named(done)}."
            raise
        done.append(one.path)
    return tuple(done)


def document(migration: Migration, *, written: Collection[str], dry_run: bool) -> dict[str, Any]:
    """Return the document of ``readiness --fix-imports --json``."""
    return {
        "old": migration.old,
        "new": migration.new,
        "dry_run": dry_run,
        "files": [
            {
                "path": one.path,
                "changes": [
                    {"line": each.line, "kind": each.kind, "before": each.before, "after": each.after}
                    for each in one.changes
                ],
            }
            for one in migration.files
        ],
        "left": [{"file": one.path, "line": one.line, "reason": one.reason} for one in migration.left],
        "notes": list(migration.notes),
        "written": sorted(written),
        "diff": migration.diff().decode("utf-8", "replace"),
    }


def _read(sources: Sources, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        source = sources.read(path)
        if source is not None:
            yield path, source


def _patch(file: Migrated) -> Iterator[bytes]:
    name = file.path.encode("utf-8", "surrogateescape")
    before, after = (_lines(source) for source in (file.before, file.after))
    for line in diff_bytes(unified_diff, before, after, b"a/" + name, b"b/" + name):
        yield line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"


def _lines(source: bytes) -> list[bytes]:
    *lines, last = source.split(b"\n")
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED_MAX} more" if len(paths) > _NAMED_MAX else ""
    return ", ".join(paths[:_NAMED_MAX]) + more


def _circles(moved: Move, paths: Sequence[str]) -> Iterator[str]:
    """Tell of changed files that the new module imports in turn when it is loaded, and the old one did not."""
    imports: defaultdict[str, set[str]] = defaultdict(set)
    for edge in moved.code.edges():
        if edge.kind in {ImportKind.TOP, ImportKind.OPTIONAL}:
            imports[edge.importer].add(edge.imported)
    before = _loaded(moved, moved.old.path, imports)
    after = _loaded(moved, moved.new.path, imports) - before - {moved.new.path}
    circle = [path for path in paths if path in after]
    if circle:
        yield (
            f"{moved.new.module} loads {_named(circle)}, which will import it: an import circle. Load the code before "
            "you commit."
        )


def _loaded(moved: Move, path: str, imports: Mapping[str, set[str]]) -> set[str]:
    """Return the files that are loaded with one, packages around what it imports included."""
    found, waiting = {path}, deque([path])
    while waiting:
        for imported in imports.get(waiting.popleft(), ()):
            parents = imported.split("/")[:-1]
            around = [f"{'/'.join(parents[:depth])}/__init__.py" for depth in range(1, len(parents) + 1)]
            for one in (imported, *around):
                if one not in found and one in moved.code.facts:
                    found.add(one)
                    waiting.append(one)
    return found


def _mentions(
    sources: Sources, moved: Move, listing: Mapping[str, str], found: Sequence[Migrated]
) -> Iterator[str]:
    """Tell where comments, documentation and files of other kinds name the old side; they are not changed."""
    word = re.compile(rb"(?<![\w.])" + re.escape(moved.old.dotted.encode()) + rb"(?!\w)")
    file = re.compile(re.escape(moved.old.path.encode()))
    told = {(place.path, place.line) for one in found for place in one.left}
    after = {one.path: one.after for one in found}
    places: list[str] = []
    for path in listing:
        python = is_python(path)
        if path == moved.old.path or not (python or path.endswith(_OTHER_ENDINGS)):
            continue
        source = after.get(path) or sources.read(path) or b""
        if len(source) > MENTION_BYTES_MAX or not (
            word.search(source) or (not python and file.search(source))
        ):
            continue
        places += [
            f"{path}:{number}"
            for number, line in enumerate(source.split(b"\n"), start=1)
            if (word.search(line) or (not python and file.search(line))) and (path, number) not in told
        ]
        if len(places) > MENTIONS_MAX:
            break
    if places:
        more = " and more" if len(places) > MENTIONS_MAX else ""
        yield (
            f"{moved.old.dotted} is also named in comments, documentation or settings, which were not changed: "
            f"{', '.join(places[:MENTIONS_MAX])}{more}."
        )
