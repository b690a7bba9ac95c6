"""One file's versions and git's merge of them in, the best proved merge out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.merge import guards, languages, markers
from pucs.merge.pieces import put_back, withdrawn
from pucs.merge.records import Clash, Merged, Origin, Resolution, Settled, Tier, Unresolved, Versions
from pucs.merge.texts import Unmergeable, texts, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.merge.languages import Language
    from pucs.merge.markers import Style
    from pucs.merge.records import Pieces, Texts
    from pucs.merge.texts import Form

BYTES_MAX = 1_000_000
"""Largest version that is merged beyond git's lines: larger ones are data, and parsing them takes seconds."""

ROUNDS_MAX = 4
"""How often places are put back until guards have nothing to say; each round parses the file twice. Then all are."""

_OF_BASES = tuple(
    re.compile(rb"^%s" % mark, re.MULTILINE) for mark in (rb"<{9,} ", rb"={9,}\r?$", rb">{9,} ")
)
"""Markers of a merge that git made for itself; they are longer than any others (git's merge-ll.c)."""


@dataclass(frozen=True, slots=True)
class LineMerge:
    """What ``git merge-file`` made of the versions."""

    content: bytes
    conflicts: int
    """Places with markers; 0: merged."""


def merge(
    path: str,
    versions: Versions,
    lines: LineMerge,
    *,
    accept: Tier = Tier.AUTO,
    labels: tuple[str, str] = ("ours", "theirs"),
    marker_size: int = markers.SIZE,
) -> Merged:
    """Merge three versions of one file.

    ``path`` tells the language. A merge that git finds clean is git's, byte for byte; what guards hold against it stands
    in ``objections``. Otherwise the best attempt that passes all guards: without conflicts if one is, else with fewer
    lines of conflict than git's, else git's. ``accept`` REVIEW applies guesses as well.

    Pure: equal arguments give equal results, and no bytes make it raise.
    """
    language = languages.of(path)
    large = max(len(side) for side in (versions.base or b"", versions.ours, versions.theirs)) > BYTES_MAX
    if language is None or large or _virtual(versions.base or b""):
        return _gits(lines, marker_size)
    try:
        read, form = texts(versions)
    except Unmergeable:
        return _gits(lines, marker_size)
    if not lines.conflicts:
        result, _ = texts(Versions(versions.base, lines.content, lines.content))
        return Merged(
            lines.content,
            Origin.GIT,
            objections=tuple(str(one) for one in language.objections(read, result.ours) if not one.untidy),
        )
    best = _gits(lines, marker_size)
    style = markers.Style(*labels, marker_size, _base_label(lines, marker_size))
    for pieces in _attempts(language, read, accept):
        found = _merged(language, read, pieces, form, style)
        # As many lines of conflict as git's, but labelled.
        if _cost(found) < _cost(best) or (best.origin is Origin.GIT and _cost(found) == _cost(best)):
            best = found
        if best.clean and best.tier is Tier.AUTO:
            break
    return best


def _attempts(language: Language, read: Texts, accept: Tier) -> Iterator[Pieces]:
    """Yield what passes the guards, of each attempt as much as does."""
    for pieces in language.attempts(read):
        wanted = pieces if accept is Tier.REVIEW else withdrawn(pieces, review=True)
        proved = _proved(language, read, wanted)
        if proved is not None:
            yield proved


def _proved(language: Language, read: Texts, pieces: Pieces) -> Pieces | None:
    """Return the pieces without those that guards object to, None if what is left does not pass either."""
    for _ in range(ROUNDS_MAX):
        against = guards.objections(language, read, pieces)
        if not against:
            return pieces
        guilty = guards.guilty(pieces, against)
        if not guilty:
            return None
        pieces = put_back(pieces, guilty)
    bare = withdrawn(pieces, review=False)
    return None if guards.objections(language, read, bare) else bare


def _cost(merged: Merged) -> tuple[int, int]:
    """Return what tells better merges from worse ones: lines of conflict, then guesses."""
    guesses = sum(one.tier is Tier.REVIEW for one in merged.resolutions)
    return sum(one.lines for one in merged.conflicts), guesses


def _merged(language: Language, read: Texts, pieces: Pieces, form: Form, style: Style) -> Merged:
    lines: list[str] = []
    conflicts: list[Unresolved] = []
    resolutions: list[Resolution] = []
    for piece in pieces:
        at = len(lines)
        if isinstance(piece, Clash):
            named = replace(piece, entity=piece.entity or language.entity(read, piece))
            shown, places = markers.rendered([named], style)
            conflicts += [replace(one, first_line=one.first_line + at) for one in places]
            lines += shown
            continue
        lines += piece.lines
        if isinstance(piece, Settled):
            entity = piece.clash.entity or language.entity(read, piece.clash)
            resolutions.append(Resolution(piece.resolver, piece.tier, at + 1, len(piece.lines), entity))
    return Merged(written(tuple(lines), form), Origin.PUCS, tuple(conflicts), tuple(resolutions))


def _virtual(base: bytes) -> bool:
    """Tell whether a base is itself a merge with conflicts, made by git of several bases: nobody ever wrote it."""
    at = 0
    for marker in _OF_BASES:
        found = marker.search(base, at)
        if found is None:
            return False
        at = found.end()
    return True


def _base_label(lines: LineMerge, size: int) -> str:
    """Return how git labels the base between its markers, empty if it does not show it."""
    begin, base, end = b"<" * size + b" ", b"|" * size + b" ", b"=" * size
    inside = False
    for line in lines.content.split(b"\n") if lines.conflicts else ():
        if line.startswith(begin):
            inside = True
        elif line.rstrip(b"\r") == end:
            inside = False
        elif inside and line.startswith(base):
            return line[len(base) :].rstrip(b"\r").decode("utf-8", "surrogateescape")
    return ""


def _gits(lines: LineMerge, size: int) -> Merged:
    """Return git's own result, its conflicts told by their markers."""
    found: list[Unresolved] = []
    first = 0
    begin, end = b"<" * size + b" ", b">" * size
    for number, line in enumerate(lines.content.split(b"\n") if lines.conflicts else (), start=1):
        if line.startswith(begin) and not first:
            first = number
        elif line.startswith(end) and first:
            found.append(Unresolved(first, number - first + 1, "", ""))
            first = 0
    if lines.conflicts and not found:  # binary content, say
        found.append(Unresolved(1, max(1, lines.content.count(b"\n")), "", "git could not merge it"))
    return Merged(lines.content, Origin.GIT, tuple(found))
