"""Python as a language of merges: its resolvers in order, its entities, its guards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pucs.merge.pieces import doubted, settle
from pucs.merge.python import guards
from pucs.merge.python.branches import branches
from pucs.merge.python.chains import chains
from pucs.merge.python.entities import by_entities
from pucs.merge.python.imports import imports
from pucs.merge.python.inserts import inserts
from pucs.merge.python.members import members
from pucs.merge.python.outdated import outdated
from pucs.merge.python.parameters import parameters
from pucs.merge.python.prose import prose
from pucs.merge.python.scene import Scene
from pucs.merge.python.segments import entity_of
from pucs.merge.python.statements import formatting, statements
from pucs.merge.python.version import version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pucs.merge.records import Clash, Lines, Objection, Pieces, Texts


RESOLVERS: tuple[Callable[[Clash, Scene], Pieces | None], ...] = (
    formatting,
    version,
    imports,
    parameters,
    members,
    inserts,
    branches,
    chains,
    prose,
    statements,
)
"""What looks at each clash, in this order: narrow rules first."""


class Python:
    """See ``languages.Language``."""

    def attempts(self, texts: Texts) -> Iterator[Pieces]:
        """Yield the hunks' resolvers on git's hunks, then the merge by entities; guesses where the parser proves nothing."""
        scene = Scene(texts)
        resolvers = [partial(_resolved, resolve, scene) for resolve in RESOLVERS]
        proving = guards.readable(texts) and not outdated(texts)
        hunks = settle(scene.hunks, resolvers)
        yield hunks if proving else doubted(hunks)
        whole = by_entities(scene, resolvers)
        if whole is not None:
            yield whole if proving else doubted(whole)

    def objections(self, texts: Texts, merged: Lines) -> tuple[Objection, ...]:
        """Return what neither side brought along: it does not parse, names twice or undefined."""
        return guards.objections(texts, merged)

    def unreadable(self, texts: Texts, merged: Lines) -> tuple[Objection, ...]:
        """Return why the parser refuses a merge, if it took what the sides have."""
        return guards.unreadable(texts, merged)

    def entity(self, texts: Texts, clash: Clash) -> str:
        """Return the qualified name of the innermost definition around a clash."""
        return entity_of(texts, clash)


def _resolved(resolve: Callable[[Clash, Scene], Pieces | None], scene: Scene, clash: Clash) -> Pieces | None:
    return resolve(clash, scene)
