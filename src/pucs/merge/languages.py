"""Which files are merged by their structure, and what each kind of file knows of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.merge.records import Clash, Lines, Objection, Pieces, Texts


class Language(Protocol):
    """What a kind of file adds to lines. Every function takes any text, broken text too, and raises nothing."""

    def attempts(self, texts: Texts) -> Iterator[Pieces]:
        """Yield ways to merge, the most trusted first; each may leave clashes. Made only as far as they are asked for."""

    def objections(self, texts: Texts, merged: Lines) -> tuple[Objection, ...]:
        """Return what is wrong with a merge without clashes, each in one sentence: only what neither side brought along."""

    def unreadable(self, texts: Texts, merged: Lines) -> tuple[Objection, ...]:
        """Return only those objections that say it cannot be read at all; they take less time."""

    def entity(self, texts: Texts, clash: Clash) -> str:
        """Return the innermost named thing around a clash, empty if there is none."""


def of(path: str) -> Language | None:
    """Return what merges files of this name, None: lines are all there is."""
    if path.endswith((".py", ".pyi")):
        from pucs.merge.python.language import Python  # noqa: PLC0415 - parsers load when a conflict needs them

        return Python()
    from pucs.merge.structured import forms  # noqa: PLC0415 - the same

    form = forms.of(path)
    if form is None:
        return None
    from pucs.merge.structured.language import Structured  # noqa: PLC0415 - the same

    return Structured(form)
