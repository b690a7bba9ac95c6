"""What a patch makes of a file: the format of ``apply_patch``, unified diffs, and exchanges of text.

Matching follows what Codex does with its own format: lines are looked for from the place of the last hunk on, first as
they are, then without trailing and without any outer blanks, so that the result here is the result there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pucs.agents.calls import Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pucs.agents.calls import Replacement

_HEADER = re.compile(r"\*\*\* (Add File|Update File|Delete File|Move to|End Patch|Begin Patch): ?(.*)")
_PLAIN_MARK = re.compile(r"\*\*\* (Begin|End) Patch\s*$")
_END_OF_FILE = "*** End of File"
_UNIFIED = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")
_NO_NEWLINE = "\\ No newline"
_PREAMBLE = (
    "diff --git ",
    "index ",
    "--- ",
    "+++ ",
    "new file mode",
    "deleted file mode",
    "similarity index",
)
"""Lines that stand before the first hunk of a unified diff."""
_LIKENESS: tuple[Callable[[str], str], ...] = (str, str.rstrip, str.strip)
"""How lines are compared: strictly first."""


class Unclear(ValueError):
    """What an edit makes of a file cannot be told from what is known."""


def parse_patch(text: str) -> tuple[Edit, ...]:
    """Return the edits of a patch in the ``apply_patch`` format; what is malformed in it is passed over.

    A file that moves is an edit that deletes the old path and one of the new path with the hunks.
    """
    edits: list[Edit] = []
    for kind, path, moved, body in _sections(text):
        match kind:
            case "Add File":
                added = [line[1:] for line in body if line.startswith("+")]
                edits.append(Edit(path=path, content=_encoded("".join(f"{line}\n" for line in added))))
            case "Delete File":
                edits.append(Edit(path=path, deletes=True))
            case _:
                if moved:
                    edits.append(Edit(path=path, deletes=True))
                edits.append(Edit(path=moved or path, hunks="\n".join(body) + "\n"))
    return tuple(edits)


def _sections(text: str) -> Iterator[tuple[str, str, str, list[str]]]:
    """Yield kind, path, new path and body of each file of a patch."""
    kind = path = moved = ""
    body: list[str] = []
    for line in text.split("\n"):
        # Lines of an update begin with a blank, so only outside of one may a header be indented.
        plain = line if kind == "Update File" else line.lstrip()
        header = _HEADER.match(plain)
        if header is None and _PLAIN_MARK.match(plain) is None:
            body.append(line.removesuffix("\r"))
        elif header is not None and header[1] == "Move to":
            moved = header[2].strip()
        else:
            if path:
                yield kind, path, moved, body
            kind, path = (header[1], header[2].strip()) if header is not None else ("", "")
            moved, body = "", []
    if path:
        yield kind, path, moved, body


def edited(old: bytes | None, edit: Edit) -> bytes | None:
    """Return the new content of a file; None: it is gone.

    ``old`` is its content now; None: there is none.

    Raises:
        Unclear: the edit does not say, or does not fit what is there.
    """
    if edit.deletes:
        return None
    if edit.content is not None:
        return edit.content
    if edit.replacements:
        return _replaced(old, edit.replacements)
    if edit.hunks:
        return _patched(old, edit.hunks)
    raise Unclear(f"It is not known what {edit.path} becomes.")


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


# Exchanges of text ---------------------------------------------------------------------------------------------


def _replaced(old: bytes | None, replacements: Sequence[Replacement]) -> bytes:
    text = _decoded(old or b"")
    # Programs show and exchange lines with "\n" and write them back with the file's own ends.
    ends_with_return = "\r\n" in text
    if ends_with_return:
        text = text.replace("\r\n", "\n")
    for number, replacement in enumerate(replacements):
        wanted = replacement.old.replace("\r\n", "\n") if ends_with_return else replacement.old
        if not wanted:
            if text or number:
                raise Unclear("An empty text is to be replaced in a file that has content.")
            text = replacement.new
            continue
        found = text.count(wanted)
        if found == 0:
            raise Unclear("The text to be replaced is not in the file.")
        if found > 1 and not replacement.everywhere:
            raise Unclear(f"The text to be replaced stands in the file {found} times.")
        text = text.replace(wanted, replacement.new)
    return _encoded(text.replace("\n", "\r\n") if ends_with_return else text)


# Hunks ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Hunk:
    """One place of a file that changes."""

    anchors: list[str] = field(default_factory=list)
    """Lines to go to first, one after the other."""
    line: int = -1
    """Where a unified diff says that it begins, from 0; -1: it does not say."""
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    at_end: bool = False
    """The old lines are the last of the file."""
    bare_end: bool = False
    """The new last line ends without a newline."""

    @property
    def empty(self) -> bool:
        """Tell whether no line of it has been read yet."""
        return not self.old and not self.new


def _hunks(body: str) -> list[_Hunk]:
    hunks: list[_Hunk] = []
    current: _Hunk | None = None
    last = ""
    for line in body.removesuffix("\n").split("\n"):
        if line.startswith("@@"):
            unified = _UNIFIED.match(line)
            if current is None or not current.empty:
                current = _Hunk()
                hunks.append(current)
            if unified:
                # "-3,0" stands for the place after line 3.
                current.line = int(unified[1]) - (unified[2] != "0")
            elif anchor := line[2:].removeprefix(" ").removesuffix(" @@"):
                current.anchors.append(anchor)
            continue
        if current is None and (line.startswith(_PREAMBLE) or not line.strip()):
            continue
        if current is None:
            current = _Hunk()
            hunks.append(current)
        if line.rstrip() == _END_OF_FILE:
            current.at_end = True
        elif line.startswith(_NO_NEWLINE):
            current.bare_end = current.bare_end or last in {"+", " "}
        else:
            last = _take(current, line)
    return hunks


def _take(hunk: _Hunk, line: str) -> str:
    """Add one line of a body to a hunk and return its mark."""
    mark, text = line[:1] or " ", line[1:]
    if mark in {" ", "-"}:
        hunk.old.append(text)
    if mark in {" ", "+"}:
        hunk.new.append(text)
    if mark not in {" ", "+", "-"}:
        raise Unclear(f"A hunk has a line that is neither context nor change: {line[:60]!r}.")
    return mark


def _patched(old: bytes | None, body: str) -> bytes:
    if old is None:
        raise Unclear("A file that is to be patched is not there.")
    lines = _decoded(old).split("\n")
    if lines[-1] == "":
        lines.pop()
    result: list[str] = []
    place = 0
    bare_end = False
    for hunk in _hunks(body):
        start, length = _found(lines, hunk, place)
        result += lines[place:start]
        result += hunk.new
        place = start + length
        bare_end = hunk.bare_end
    result += lines[place:]
    return _encoded("\n".join(result) + ("" if bare_end or not result else "\n"))


def _found(lines: list[str], hunk: _Hunk, start: int) -> tuple[int, int]:
    """Return where the old lines of a hunk are and how many they are."""
    for anchor in hunk.anchors:
        start = _sought(lines, [anchor], start) + 1
    if not hunk.old:
        place = hunk.line if hunk.line >= 0 else len(lines)
        if not start <= place <= len(lines):
            raise Unclear("Lines are to be added where the file has none.")
        return place, 0
    if hunk.line >= start and _fits(lines, hunk.old, hunk.line, str):
        return hunk.line, len(hunk.old)
    if hunk.at_end:
        last = len(lines) - len(hunk.old)
        if last >= start and any(_fits(lines, hunk.old, last, alike) for alike in _LIKENESS):
            return last, len(hunk.old)
    try:
        return _sought(lines, hunk.old, start), len(hunk.old)
    except Unclear:
        if hunk.old[-1]:
            raise
    # An empty last line often stands for the file's last newline.
    if hunk.new and not hunk.new[-1]:
        hunk.new.pop()
    return _sought(lines, hunk.old[:-1], start), len(hunk.old) - 1


def _sought(lines: list[str], wanted: list[str], start: int) -> int:
    for alike in _LIKENESS:
        first = alike(wanted[0]) if wanted else ""
        for place in range(start, len(lines) - len(wanted) + 1):
            if wanted and alike(lines[place]) == first and _fits(lines, wanted, place, alike):
                return place
    raise Unclear(f"These lines are not in the file: {' / '.join(wanted)[:120]!r}.")


def _fits(lines: list[str], wanted: list[str], place: int, alike: Callable[[str], str]) -> bool:
    found = lines[place : place + len(wanted)]
    return len(found) == len(wanted) and all(alike(a) == alike(b) for a, b in zip(found, wanted, strict=True))
