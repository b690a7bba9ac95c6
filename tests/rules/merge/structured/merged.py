"""Merges of texts by name, with the line merge that git would have made of them."""

from pucs.merge.merging import LineMerge, merge
from pucs.merge.pieces import by_lines
from pucs.merge.records import Clash, Merged, Piece, Tier, Versions, clashes
from pucs.merge.texts import split


def merged(path: str, base: str | None, ours: str, theirs: str, *, accept: Tier = Tier.REVIEW) -> Merged:
    """Merge three texts as the driver does."""
    lines = [split(text.replace("\r\n", "\n")) for text in (base or "", ours, theirs)]
    pieces = by_lines(lines[0], lines[1], lines[2])
    text = "".join(_shown(piece) for piece in pieces)
    if "\r\n" in ours:
        text = text.replace("\n", "\r\n")
    line_merge = LineMerge(_bytes(text), len(clashes(pieces)))
    versions = Versions(None if base is None else _bytes(base), _bytes(ours), _bytes(theirs))
    return merge(path, versions, line_merge, accept=accept)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _shown(piece: Piece) -> str:
    """Return the lines of a piece, a clash as git shows it."""
    if not isinstance(piece, Clash):
        return "".join(piece.lines)
    ours, theirs = ("".join(lines) for lines in (piece.ours, piece.theirs))
    return f"<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs\n"


def settled(path: str, base: str | None, ours: str, theirs: str, *, accept: Tier = Tier.AUTO) -> str:
    """Return the merge of three texts, which has to have no conflict."""
    found = merged(path, base, ours, theirs, accept=accept)
    assert found.clean, found.content.decode()
    return found.content.decode("utf-8", "surrogateescape")


def left_open(path: str, base: str | None, ours: str, theirs: str) -> str:
    """Return the reason why the merge of three texts stays a conflict; it has to."""
    found = merged(path, base, ours, theirs)
    assert not found.clean, found.content.decode()
    return found.conflicts[0].reason
