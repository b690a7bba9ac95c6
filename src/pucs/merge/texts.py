"""The form of a file (byte order mark, encoding, line ends) set aside while its lines are merged, and put back after.

The form is merged like everything else: where one side changed it, the change counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.merge.records import Texts

if TYPE_CHECKING:
    from pucs.merge.records import Lines, Versions

BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Form:
    """How lines are written as bytes."""

    bom: bool
    crlf: bool
    """Every line ends with a carriage return and a line feed; files with both kinds keep theirs inside the lines."""


class Unmergeable(ValueError):
    """The bytes are not text that can be merged by lines."""


def texts(versions: Versions) -> tuple[Texts, Form]:
    """Return the lines of three versions and the form that the result takes.

    Bytes that are not UTF-8 come back as they were. A base of None has no lines.

    Raises:
        Unmergeable: a side holds a zero byte.
    """
    base, base_form = _read(versions.base) if versions.base is not None else ((), None)
    ours, ours_form = _read(versions.ours)
    theirs, theirs_form = _read(versions.theirs)
    # Mixed line ends anywhere: nobody may rewrite them, so every carriage return stays where it is.
    mixed = None in (ours_form, theirs_form) or (versions.base is not None and base_form is None)
    if mixed or ours_form is None or theirs_form is None:
        raw = [_split(side) for side in (versions.base or b"", versions.ours, versions.theirs)]
        boms = [
            (side or b"").startswith(BOM.encode()) for side in (versions.base, versions.ours, versions.theirs)
        ]
        return Texts(*raw), Form(bom=_merged(*boms), crlf=False)
    base_form = base_form or ours_form
    bom = _merged(base_form.bom, ours_form.bom, theirs_form.bom)
    crlf = _merged(base_form.crlf, ours_form.crlf, theirs_form.crlf)
    return Texts(base, ours, theirs), Form(bom=bom, crlf=crlf)


def _merged(base: bool, ours: bool, theirs: bool) -> bool:  # noqa: FBT001 - three of a kind
    return theirs if base == ours else ours


def written(lines: Lines, form: Form) -> bytes:
    """Return lines as bytes of this form."""
    text = "".join(lines)
    if form.crlf:
        text = text.replace("\n", "\r\n")
    return ((BOM if form.bom else "") + text).encode("utf-8", "surrogateescape")


def split(text: str) -> Lines:
    """Return the lines of a text with their ends; only line feeds end lines, as for git."""
    parts = text.split("\n")
    last = parts.pop()
    return (*(f"{part}\n" for part in parts), *([last] if last else []))


def _split(source: bytes) -> Lines:
    text = source.decode("utf-8", "surrogateescape")
    return split(text.removeprefix(BOM))


def _read(source: bytes) -> tuple[Lines, Form | None]:
    """Return the lines of one version and its form; None: both kinds of line ends."""
    if b"\0" in source:
        msg = "binary content has no lines to merge"
        raise Unmergeable(msg)
    returns, feeds = source.count(b"\r\n"), source.count(b"\n")
    bom = source.startswith(BOM.encode())
    if returns == 0:
        return _split(source), Form(bom=bom, crlf=False)
    if returns < feeds:
        return _split(source), None
    return _split(source.replace(b"\r\n", b"\n")), Form(bom=bom, crlf=True)
