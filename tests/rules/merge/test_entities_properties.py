"""No line is lost, doubled or brought back by a merge of definitions, whatever two sides do to them.

Every line of the files here is unlike every other, so that counting lines proves it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pucs.merge.pieces import lines_of, side_of
from pucs.merge.python.entities import by_entities
from pucs.merge.python.scene import Scene
from pucs.merge.records import Clash, Kept, Settled, Texts
from pucs.merge.texts import split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.merge.records import Lines, Pieces


@dataclass(frozen=True)
class Part:
    """A function, a class or a statement; a class's rows are parts."""

    name: str
    rows: tuple[str, ...] = ()
    members: tuple[Part, ...] = ()
    marks: tuple[str, ...] = field(default=())
    """Decorators and comments above."""

    def text(self, indent: str = "") -> str:
        """Return it with a blank line above."""
        if not self.rows and not self.members:
            return f"{indent}{self.name} = 0\n"
        head = "".join(f"{indent}{mark}\n" for mark in self.marks)
        kind = "class" if self.members else "def"
        inner = "".join(f"{indent}    {row}\n" for row in self.rows)
        inner += "".join(member.text(f"{indent}    ") for member in self.members)
        return f"\n{head}{indent}{kind} {self.name}():\n{inner}"


def edits(draw: st.DrawFn, parts: tuple[Part, ...], fresh: Iterator[int], side: str) -> tuple[Part, ...]:
    """Do some things that people do to parts of a file."""
    found = list(parts)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(found)))
        what = draw(st.sampled_from(["add", "delete", "edit", "move", "rename", "mark", "inside", "state"]))
        new = f"{side}{next(fresh)}"
        part = found[at] if at < len(found) else None
        if what in {"add", "state"}:
            found.insert(at, Part(new, (f"{new}_a()", f"{new}_b()") if what == "add" else ()))
        elif part is None:
            continue
        elif what == "delete":
            del found[at]
        elif what == "move" and part.text().startswith("\n"):
            del found[at]
            found.insert(draw(st.integers(0, len(found))), part)
        elif what == "rename":
            found[at] = replace(part, name=new)
        elif what == "mark" and part.rows:
            found[at] = replace(part, marks=(draw(st.sampled_from(["@", "# "])) + new, *part.marks))
        elif what == "edit" and part.rows:
            row = draw(st.integers(0, len(part.rows) - 1))
            found[at] = replace(part, rows=(*part.rows[:row], f"{new}()", *part.rows[row + 1 :]))
        elif what == "inside" and part.members:
            found[at] = replace(part, members=edits(draw, part.members, fresh, side) or part.members)
    return tuple(found)


@st.composite
def files(draw: st.DrawFn) -> Texts:
    """Return three versions of a file of functions, classes with methods, and statements."""
    fresh = count()

    def function() -> Part:
        name = f"f{next(fresh)}"
        return Part(name, tuple(f"{name}_{row}()" for row in range(draw(st.integers(1, 5)))))

    def part() -> Part:
        kind = draw(st.sampled_from(["def", "def", "class", "state"]))
        if kind == "class":
            return Part(f"C{next(fresh)}", (), tuple(function() for _ in range(draw(st.integers(1, 3)))))
        return function() if kind == "def" else Part(f"s{next(fresh)}")

    base = tuple(part() for _ in range(draw(st.integers(0, 5))))
    sides = [edits(draw, base, fresh, side) for side in ("o", "t")]
    return Texts(*(split("".join(one.text() for one in parts)) for parts in (base, *sides)))


def merged(texts: Texts) -> Pieces | None:
    return by_entities(Scene(texts), ())


def said(lines: Lines) -> Counter[str]:
    return Counter(line.strip() for line in lines if line.strip())


@given(files())
def test_every_line_of_a_side_is_there_once_unless_the_other_deleted_it(texts: Texts) -> None:
    """In the result, or in a conflict; and what a side deleted is nowhere else."""
    pieces = merged(texts)
    if pieces is None:
        return
    open_lines: set[str] = set()
    for piece in pieces:
        if isinstance(piece, Clash):
            open_lines |= {*said(piece.base), *said(piece.ours), *said(piece.theirs)}
    base, ours, theirs = said(texts.base), said(texts.ours), said(texts.theirs)
    settled = said(tuple(line for piece in pieces if not isinstance(piece, Clash) for line in piece.lines))
    for line in {*base, *ours, *theirs} - open_lines:
        wanted = (line in ours and line in theirs) or line not in base
        assert settled[line] == wanted, line
    assert all(settled[line] <= 1 for line in settled)


@given(files())
def test_what_a_settled_place_stands_for_can_take_its_place(texts: Texts) -> None:
    """With the same side in every place, all lines are there that it added."""
    pieces = merged(texts)
    if pieces is None:
        return
    for side, own in (("ours", texts.ours), ("theirs", texts.theirs)):
        open_pieces = tuple(piece.clash if isinstance(piece, Settled) else piece for piece in pieces)
        there = said(side_of(open_pieces, side))
        assert all(there[line] for line in said(own) if line not in said(texts.base))


@given(files())
def test_sides_may_be_exchanged(texts: Texts) -> None:
    """What is merged one way is merged the other way, in whatever order."""
    there, back = merged(texts), merged(Texts(texts.base, texts.theirs, texts.ours))
    if there is None or back is None:
        return
    one, other = lines_of(there), lines_of(back)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert said(one) == said(other)


@given(files())
def test_a_side_that_did_nothing_changes_nothing(texts: Texts) -> None:
    """merge(x, x, y) is y, whatever y is."""
    for one in (Texts(texts.base, texts.base, texts.theirs), Texts(texts.base, texts.ours, texts.base)):
        assert merged(one) == tuple(
            [Kept(kept)] if (kept := one.theirs if one.ours == one.base else one.ours) else []
        )


@given(
    st.lists(
        st.sampled_from([
            "def a():\n",
            "class A:\n",
            "    pass\n",
            "\n",
            "@x\n",
            "    def a(): pass\n",
            "a = (\n",
            "'''\n",
        ])
    )
)
def test_no_text_makes_it_raise(rows: list[str]) -> None:
    """Whatever the lines are, and whichever version lacks some of them."""
    whole, odd, even = tuple(rows), tuple(rows[1::2]), tuple(rows[::2])
    for texts in (Texts(whole, odd, even), Texts(even, whole, odd), Texts((), odd, whole)):
        merged(texts)
