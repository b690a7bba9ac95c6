"""Whether a file that git merged line by line may count as merged (000 §4.2 ``auto_merge``; DESIGN §3.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.syntax.changes import MODULE, changed_symbols
from pucs.syntax.definitions import Unparsable, definitions, supports

if TYPE_CHECKING:
    from pucs.syntax.changes import Changes
    from pucs.syntax.definitions import Outline


def objections(
    file: str, before: bytes | None, ours: bytes | None, theirs: bytes | None, merged: bytes | None
) -> tuple[str, ...]:
    """Return why a clean line merge of two changes is a conflict all the same, each in a few words; empty: it is none.

    Both sides must have changed different functions and classes, and what came out must parse. Files of other languages,
    and versions that did not parse before, are judged by their lines alone.
    """
    if not supports(file):
        return ()
    try:
        one, other = _outline(ours), _outline(theirs)
        definitions(before or b"")
    except Unparsable:
        return ()
    left, right = changed_symbols(before, ours), changed_symbols(before, theirs)
    twice = [
        name
        for name in sorted(touched(left) & touched(right))
        if one.texts.get(name) != other.texts.get(name)
    ]
    found = [f"both sides change {name}" for name in twice]
    if left.outside and right.outside and one.loose != other.loose:
        found.append(f"both sides change {MODULE}, outside any definition")
    try:
        definitions(merged or b"")
    except Unparsable as error:
        found.append(f"the merged file does not parse: {error}")
    return tuple(found)


def touched_symbols(file: str, before: bytes | None, after: bytes | None) -> tuple[str, ...]:
    """Return the symbols that a change stays inside of, the outermost ones; empty: it concerns the file as a whole."""
    if not supports(file):
        return ()
    changes = changed_symbols(before, after)
    if not changes.parsed or changes.outside or changes.imports_changed:
        return ()
    names = touched(changes)
    return tuple(sorted(name for name in names if not any(name.startswith(f"{outer}.") for outer in names)))


def _outline(source: bytes | None) -> Outline:
    return definitions(source or b"")


def touched(changes: Changes) -> set[str]:
    """Return every symbol a side changed, added, removed or renamed, under each of its names."""
    names = {name for pair in changes.renamed for name in pair}
    return names | {*changes.changed, *changes.added, *changes.removed}
