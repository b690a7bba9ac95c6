"""Kinds of structured files as languages of merges: how each is read, what holds against a result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from pucs.merge.pieces import by_lines, doubted
from pucs.merge.records import clashes
from pucs.merge.structured.fitting import fitted
from pucs.merge.structured.outline import Unreadable, labels, lines_of
from pucs.merge.structured.weaving import Weaver

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pucs.merge.records import Clash, Lines, Objection, Pieces, Texts
    from pucs.merge.structured.outline import Node
    from pucs.merge.structured.weaving import Bit, Leaf


SIZE_MAX = 600_000
"""Characters of a version beyond which it is not read: change logs of thirty years are smaller, reading takes a second."""

DATA = frozenset({"json", "toml", "yaml"})
"""Forms that programs read by name and value: words mean the same wherever they stand."""

UNPROVED = frozenset({"ini", "markdown", "rst"})
"""Forms in which nothing counts what a file says: that its parts stand side by side shows no more than that they can.

Of ten results that differed from people's a reader found four wrong or doubtful, such as the target of a link between a
label and its heading. Change logs and lists are counted line by line, and were read by the hundred (benchmarks/merging).
"""


class Form(Protocol):
    """One kind of file."""

    @property
    def name(self) -> str:
        """How its resolutions are called: ``json``."""

    @property
    def leaves(self) -> Sequence[Leaf]:
        """Return the rules for lines that both sides changed, in order."""

    def outlines(self, versions: Sequence[Lines]) -> tuple[Node, ...]:
        """Return the versions as outlines.

        Raises:
            Unreadable: one of them is not what its name says, or too deep.
        """

    def doubts(self, versions: Sequence[Lines], merged: Lines, *, guesses: int) -> str:
        """Return what a merge lost or made up, empty if nothing; ``guesses``: values that a rule left out on purpose."""

    def objections(self, versions: Sequence[Lines], merged: Lines) -> tuple[Objection, ...]:
        """Return what is wrong with a merge that neither side brought along."""


class Structured:
    """See ``languages.Language``."""

    def __init__(self, form: Form) -> None:
        """Merge files of one form."""
        self.form = form
        self._labels: tuple[Lines, list[str]] = ((), [])

    def attempts(self, texts: Texts) -> Iterator[Pieces]:
        """Yield the merge of the outlines if all versions can be read, then the line merge."""
        bits = self._woven(texts)
        if bits is not None:
            pieces = fitted(texts, bits, self.form.name)
            missing = any(bit.open for bit in bits) and not clashes(pieces)  # of a place without an answer
            if not missing:
                doubt = self.form.name in UNPROVED or (self.form.name in DATA and _both_new(texts, bits))
                yield doubted(pieces) if doubt else pieces
        pieces = by_lines(texts.base, texts.ours, texts.theirs)
        if clashes(
            pieces
        ):  # where git's lines clash and these do not, luck has matched them: no proof of anything
            yield pieces

    def _woven(self, texts: Texts) -> list[Bit] | None:
        """Return the merge of the outlines, None: a version cannot be read, or the merge says what neither side said."""
        if any(_too_large(lines) for lines in (texts.base, texts.ours, texts.theirs)):
            return None
        versions = [_ended(lines) for lines in (texts.base, texts.ours, texts.theirs)]
        try:
            outlines = self.form.outlines(versions)
            if any(lines_of(outline) != lines for outline, lines in zip(outlines, versions, strict=True)):
                return None
            bits = _last_line(Weaver(self.form.leaves, data=self.form.name in DATA).woven(*outlines), texts)
            if any(bit.open for bit in bits):
                return bits
            merged = tuple(line for bit in bits for line in bit.lines)
            guesses = sum(bit.rule in {"version", "words"} for bit in bits)
            return None if self.form.doubts(versions, merged, guesses=guesses) else bits
        except (Unreadable, RecursionError):
            return None

    def objections(self, texts: Texts, merged: Lines) -> tuple[Objection, ...]:
        """Return what the form holds against a merge."""
        return self.form.objections((texts.base, texts.ours, texts.theirs), merged)

    def unreadable(self, texts: Texts, merged: Lines) -> tuple[Objection, ...]:
        """Return what keeps a merge from being read."""
        return tuple(one for one in self.objections(texts, merged) if one.broken)

    def entity(self, texts: Texts, clash: Clash) -> str:
        """Return the names of the parts around a clash: ``tool.ruff.lint``."""
        if self._labels[0] is not texts.ours:
            try:
                if _too_large(texts.ours):
                    raise Unreadable("too large")  # noqa: TRY301 - as if its form said so
                [outline] = self.form.outlines([_ended(texts.ours)])
                self._labels = (texts.ours, labels(outline))
            except (Unreadable, RecursionError):
                self._labels = (texts.ours, [])
        found = self._labels[1]
        return found[clash.at.ours] if 0 <= clash.at.ours < len(found) else ""


def _both_new(texts: Texts, bits: Sequence[Bit]) -> bool:
    """Tell whether both sides wrote the file, and each says what the other does not.

    Whether one took that away or the other added it, nothing tells.
    """
    merged = _said(line for bit in bits for line in bit.lines)
    return not _said(texts.base) and merged not in (_said(texts.ours), _said(texts.theirs))


def _said(lines: Iterable[str]) -> list[str]:
    """Return what lines say, whatever their order and their commas."""
    return sorted(text for line in lines if (text := line.strip().rstrip(",")))


def _too_large(lines: Lines) -> bool:
    return sum(map(len, lines)) > SIZE_MAX


def _ended(lines: Lines) -> Lines:
    """Return lines of which the last one ends like the others."""
    if lines and not lines[-1].endswith("\n"):
        return (*lines[:-1], lines[-1] + "\n")
    return lines


def _last_line(bits: list[Bit], texts: Texts) -> list[Bit]:
    """Return the bits without the last line feed if the side that decides about it has none."""
    ends = [not lines or lines[-1].endswith("\n") for lines in (texts.base, texts.ours, texts.theirs)]
    ended = ends[2] if ends[0] == ends[1] else ends[1]
    if ended:
        return bits
    for index in range(len(bits) - 1, -1, -1):
        lines = bits[index].lines
        if lines:
            cut = (*lines[:-1], lines[-1].removesuffix("\n"))
            return [*bits[:index], replace(bits[index], lines=cut), *bits[index + 1 :]]
    return bits
