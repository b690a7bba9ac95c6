"""What resolvers of one merge share: the three versions and what is found out about them once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pucs.merge.pieces import hunks
from pucs.merge.python.import_atoms import everywhere
from pucs.merge.python.lexing import layout
from pucs.merge.records import Kept

if TYPE_CHECKING:
    from collections import Counter

    from pucs.merge.python.import_atoms import Atom
    from pucs.merge.python.lexing import Layout
    from pucs.merge.records import Pieces, Texts


WIDTHS = (79, 88, 100, 120)
"""Lengths of lines that formatters are set to: PEP 8, Black, and two that people choose."""


@dataclass(frozen=True)
class Scene:
    """One merge of a Python file; what costs time is worked out when first asked for, and kept."""

    texts: Texts

    @cached_property
    def hunks(self) -> Pieces:
        """The merge of the lines, as git does it, with its clashes."""
        return hunks(self.texts)

    @cached_property
    def layouts(self) -> tuple[Layout, Layout, Layout]:
        """Where statements, brackets and strings of base, ours and theirs begin and end."""
        return layout(self.texts.base), layout(self.texts.ours), layout(self.texts.theirs)

    @cached_property
    def imported(self) -> tuple[Counter[Atom], Counter[Atom], Counter[Atom]]:
        """What base, ours and theirs import, anywhere."""
        base, ours, theirs = (everywhere(one) for one in self.layouts)
        return base, ours, theirs

    @cached_property
    def imported_at_top(self) -> tuple[Counter[Atom], Counter[Atom], Counter[Atom]]:
        """What base, ours and theirs import by statements that are not indented."""
        base, ours, theirs = (everywhere(one, at_top=True) for one in self.layouts)
        return base, ours, theirs

    @cached_property
    def imported_beside(self) -> Counter[Atom]:
        """What statements that are not indented import beside the clashes, in the merge of the lines."""
        kept = (line for piece in self.hunks if isinstance(piece, Kept) for line in piece.lines)
        return everywhere(layout(tuple(kept)), at_top=True)

    @cached_property
    def width(self) -> int:
        """How long lines may get here: what nearly all lines of both sides keep to, of the usual widths."""
        sides = (*self.texts.ours, *self.texts.theirs)
        lengths = sorted(len(line.rstrip()) for line in sides) or [0]
        most = lengths[len(lengths) * 99 // 100]
        return next((width for width in WIDTHS if width >= most), WIDTHS[-1])
