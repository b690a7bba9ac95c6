"""A merged row of elements as text again, in the form that the side has whose form counts.

Forms: ``stacked`` (every element begins a line), flat (all on one line with the brackets), and filled (as many on a line
as fit). A row that outgrows its form takes the next that one of the versions uses.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.merge.python.lexing import tokens
from pucs.merge.texts import split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.python.frames import Bracket, Frame
    from pucs.merge.python.rows import Element
    from pucs.merge.records import Lines

STEP = "    "
"""What a row that gets lines of its own is indented by, beyond its statement."""


def written(bracket: Bracket, elements: Sequence[Element], like: str, tail: str, width: int) -> Lines | None:
    """Return the lines of a bracket with these elements; None: no form can hold them."""
    form = _form(bracket, elements, like, tail, width)
    head = _head(bracket, form)
    below = _below(bracket)
    if head is None or below is None:
        return None
    form = replace(form, head=head, row=replace(form.row, below=below))
    tuple_of_one = bracket.sign == "(" and len(elements) == 1 and not (bracket.called or bracket.signature)
    comma = _comma(bracket, form, len(elements)) or (tuple_of_one and not bracket.imports)
    if not elements:
        return _emptied(bracket, form, tail)
    if form.row.stacked:
        return _stacked(bracket, form, elements, tail, comma=comma)
    if form.row.below or any(one.note or any(one.above) for one in elements):
        return None
    if form.flat:
        return _flat(form, elements, tail, width, comma=comma) or _grown(bracket, form, elements, tail, width)
    return _filled(bracket, form, elements, tail, width, comma=comma)


def _comma(bracket: Bracket, form: Frame, count: int) -> bool:
    """Tell whether the last of several elements gets a comma, as in the form; a tuple of one has it for other reasons."""
    if not form.flat or count == 1:
        return form.row.comma
    return form.row.comma and all(frame.row.comma for frame in bracket.frames if len(frame.row.elements) > 1)


def _form(bracket: Bracket, elements: Sequence[Element], like: str, tail: str, width: int) -> Frame:
    """Return the side whose form counts: one on a single line if that fits, unless the other has a line for each."""
    _, ours, theirs = bracket.frames
    form, other = (ours, theirs) if like == "ours" else (theirs, ours)
    if not form.row.elements:
        form, other = other, form
    if (
        not form.row.stacked
        and not form.flat
        and other.flat
        and _flat(other, elements, tail, width, comma=other.row.comma)
    ):
        return other
    return form


def _head(bracket: Bracket, form: Frame) -> str | None:
    """Return what stands before the elements, with the comment in it that one side changed; None: both did."""
    base, ours, theirs = (_comment(frame.head) for frame in bracket.frames)
    if base == ours == theirs:
        return form.head
    if base not in {ours, theirs} and ours != theirs:
        return None
    wanted = theirs if ours == base else ours
    return (form.head[: len(form.head) - len(_comment(form.head))].rstrip() + "  " + wanted).rstrip()


def _below(bracket: Bracket) -> tuple[str, ...] | None:
    """Return the comments behind the last element as one side has them; None: both changed them."""
    base, ours, theirs = (frame.row.below for frame in bracket.frames)
    if base not in {ours, theirs} and ours != theirs:
        return None
    return theirs if ours == base else ours


def _comment(head: str) -> str:
    last = head.rsplit("\n", 1)[-1]
    found = [token for token in tokens(last) if token.kind == "comment"]
    return found[-1].text if found else ""


def _emptied(bracket: Bracket, form: Frame, tail: str) -> Lines | None:
    if form.row.below or (bracket.opened and not bracket.closed) or "#" in form.head:
        return None
    return split(form.head.rstrip() + tail) if bracket.closed else ()


def _flat(form: Frame, elements: Sequence[Element], tail: str, width: int, *, comma: bool) -> Lines | None:
    line = form.head + ", ".join(one.code for one in elements) + ("," if comma else "") + tail
    commented = any(one.note or any(one.above) for one in elements)
    if commented or "\n" in line.rstrip("\n") or _comment(form.head):
        return None
    return split(line) if len(line.rstrip("\n")) <= max(width, len(_text(form))) else None


def _text(frame: Frame) -> str:
    """Return the line of a flat frame."""
    return (frame.head + ", ".join(one.code for one in frame.row.elements) + frame.tail).rstrip("\n")


def _stacked(
    bracket: Bracket, form: Frame, elements: Sequence[Element], tail: str, *, comma: bool
) -> Lines | None:
    pad = form.row.elements[0].pad
    found: list[str] = []
    for index, one in enumerate(elements):
        last = index == len(elements) - 1
        above = one.above if index or not bracket.opened else tuple(line for line in one.above if line)
        found.extend(f"{pad}{line}\n" if line else "\n" for line in above)
        code = _shifted(one, len(pad))
        if code is None:
            return None
        note = f"  {one.note}" if one.note else ""
        sign = "," if not last or comma else ""
        found.append(f"{pad}{code}{sign}{note}\n")
    found.extend(f"{pad}{line}\n" if line else "\n" for line in form.row.below)
    body = "".join(found)
    if bracket.closed:
        body = body[:-1] + form.lead + tail if "\n" in form.lead else body[:-1] + tail
        if "\n" not in form.lead and (elements[-1].note or form.row.below):
            return None
    head = form.head.rstrip("\n") + "\n" if bracket.opened else ""
    return split(head + body)


def _shifted(element: Element, column: int) -> str | None:
    """Return the code of an element that begins at another column; None: a string over lines would change."""
    if "\n" not in element.code or element.column == column:
        return element.code
    if '"""' in element.code or "'''" in element.code:
        return None
    first, *others = element.code.split("\n")
    delta = column - element.column
    if delta < 0 and any(line[:-delta].strip() for line in others):
        return None
    moved = [
        " " * delta + line if delta > 0 and line else line[-delta:] if delta < 0 else line for line in others
    ]
    return "\n".join([first, *moved])


def _grown(bracket: Bracket, form: Frame, elements: Sequence[Element], tail: str, width: int) -> Lines | None:
    """Return a row that no longer fits on one line: on a line of its own, else one line for each element."""
    outer = form.head[: len(form.head) - len(form.head.lstrip())]
    if "\n" in form.head:
        return None
    inner = outer + STEP
    joined = inner + ", ".join(one.code for one in elements)
    head = form.head.rstrip() + "\n"
    if len(joined) <= width and not any(frame.row.comma for frame in bracket.frames):
        return split(f"{head}{joined}\n{outer}{tail}")
    body = "".join(f"{inner}{one.code},\n" for one in elements)
    return split(f"{head}{body}{outer}{tail}")


def _filled(
    bracket: Bracket, form: Frame, elements: Sequence[Element], tail: str, width: int, *, comma: bool
) -> Lines | None:
    """Return a row with as many elements on each line as fit, indented as before."""
    if any("\n" in one.code for one in elements):
        return None
    rows = [one for one in form.row.elements if one.fresh]
    if not rows:
        return None
    hanging = form.row.elements[0].fresh
    pad = rows[-1].pad
    lines = [pad if hanging else form.head]
    if not hanging and not bracket.opened:
        return None
    for index, one in enumerate(elements):
        last = index == len(elements) - 1
        piece = one.code + ("," if not last or comma else "")
        room = len(tail.rstrip("\n")) if last and bracket.closed and "\n" not in form.lead else 0
        begun = lines[-1].strip() and not (len(lines) == 1 and not hanging and index == 0)
        if begun and len(lines[-1]) + 1 + len(piece) + room > max(width, len(pad) + len(piece)):
            lines.append(pad + piece)
        elif begun:
            lines[-1] += " " + piece
        else:
            lines[-1] += piece
    head = form.head.rstrip("\n") + "\n" if hanging and bracket.opened else ""
    if (
        len(lines) > 1
        and len(rows) == 1
        and hanging
        and bracket.ends
        and (not bracket.closed or "\n" in form.lead)
    ):
        # A single line between the lines of the brackets became too long: one line for each element.
        lines = [f"{pad}{one.code}," for one in elements]
    if not bracket.closed:
        return split(head + "\n".join(lines) + "\n")
    return split(head + "\n".join(lines) + form.lead + tail)
