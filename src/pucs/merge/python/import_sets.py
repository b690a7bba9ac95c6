"""Which names a merge of imports has to import: a three-way merge of sets that looks at who uses what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.merge.python.import_atoms import Atom
from pucs.merge.records import Tier

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from pucs.merge.python.import_blocks import Zone
    from pucs.merge.python.scene import Scene


def merged_atoms(base: Zone, ours: Zone, theirs: Zone, scene: Scene) -> tuple[dict[Atom, None], Tier] | None:
    """Return what is imported in the end, and how sure that is; None: the sides contend."""
    sides = (base.atoms, ours.atoms, theirs.atoms)
    b, o, t = sides
    elsewhere = _elsewhere(b, o, scene.imported[1]), _elsewhere(b, t, scene.imported[2])
    added = _added(sides, elsewhere)
    if added is None:
        return None
    for atom in _said_elsewhere(ours, theirs, scene) & added.keys():
        del added[atom]
    followed = {atom: to for atom, to in added.items() if atom != to}
    guess = bool(followed)
    wanted: dict[Atom, None] = {}
    for atom in {**b, **o, **t}:
        if atom in o and atom in t:
            wanted[atom] = None
        elif atom in added:
            wanted[added[atom]] = None
        elif atom in b and (atom in o or atom in t):
            keeper, dropper = (1, 2) if atom in o else (2, 1)
            moved = atom in elsewhere[dropper - 1]
            if not moved and _needed(atom, keeper, dropper, scene):
                wanted[atom] = None
            else:  # of a name that the dropper still has nobody knows where from
                guess |= moved or scene.layouts[dropper].uses[_name(atom)] > 0
    if _contend(b, o, t, wanted):
        return None
    guess |= _hollow(b, o, t) or _hollow(b, t, o) or _replaced(b, o, t) or _replaced(b, t, o)
    return wanted, Tier.REVIEW if guess else Tier.AUTO


def _added(
    sides: tuple[dict[Atom, None], dict[Atom, None], dict[Atom, None]], elsewhere: tuple[set[Atom], set[Atom]]
) -> dict[Atom, Atom] | None:
    """Return what one side added, with how it reads after the other's moves; None: it belongs to a moved statement."""
    b, o, t = sides
    found: dict[Atom, Atom] = {}
    for mine, its, moved in ((o, t, elsewhere[1]), (t, o, elsewhere[0])):
        moves = Moves(b, its)
        gone = {atom.module for atom in moved if atom.module}
        for atom in mine:
            if atom not in b and atom not in its:
                if atom.module in gone:
                    return None
                found[atom] = moves.followed(atom)
    return found


def _said_elsewhere(ours: Zone, theirs: Zone, scene: Scene) -> set[Atom]:
    """Return what a side added here although it stands at the top of what no conflict is about, or in another of ours."""
    was, now, _ = scene.imported_at_top
    kept = scene.imported_beside
    known = (ours, kept), (theirs, kept | now)
    return {
        atom
        for (side, there), other in zip(known, (theirs, ours), strict=True)
        for block in side.blocks
        if not block.indent
        for atom in block.atoms
        if atom not in other.atoms and there[atom] and not was[atom]
    }


def _hollow(base: dict[Atom, None], side: dict[Atom, None], other: dict[Atom, None]) -> bool:
    """Tell whether the other side went on with what this side cleared away: names of one module, or all of a block."""
    cleared = {atom.module for atom in base} - {atom.module for atom in side} - {""}
    added = [atom for atom in other if atom not in base and atom not in side]
    return any(atom.module in cleared for atom in added) or (len(base) > 1 and not side and bool(added))


def _replaced(base: dict[Atom, None], side: dict[Atom, None], other: dict[Atom, None]) -> bool:
    """Tell whether the other side took a name from somewhere else that this side did away with."""
    dropped = {atom.bound for atom in base if atom not in other} - {atom.bound for atom in side}
    return any(atom.bound in dropped for atom in other if atom not in base)


def _name(atom: Atom) -> str:
    return atom.bound.split(".")[0]


def _elsewhere(base: Mapping[Atom, None], side: Mapping[Atom, None], everywhere: Counter[Atom]) -> set[Atom]:
    """Return what a side dropped here and imports at another place."""
    return {atom for atom in base if atom not in side and everywhere[atom]}


def _needed(atom: Atom, keeper: int, dropper: int, scene: Scene) -> bool:
    """Tell whether the side that keeps an import uses it in new places, and the other has nothing of that name."""
    uses = [layout.uses[_name(atom)] for layout in scene.layouts]
    return uses[keeper] > uses[0] and uses[dropper] == 0


class Moves:
    """Where a side moved modules to, as far as its imports tell."""

    def __init__(self, base: Mapping[Atom, None], side: Mapping[Atom, None]) -> None:
        fresh = {atom.bound: atom.module for atom in side if atom not in base}
        modules: dict[str, set[str]] = {}
        for atom in base:
            module = fresh.get(atom.bound, "") if atom not in side else ""
            if module and atom.module and module != atom.module:
                modules.setdefault(atom.module, set()).add(module)
        left = {atom.module for atom in side}
        self._modules = {
            one: next(iter(to)) for one, to in modules.items() if len(to) == 1 and one not in left
        }
        packages = [_package(one, to) for one, to in self._modules.items()]
        self._package = next((one for one in packages if self._fits(one)), ("", ""))

    def _fits(self, package: tuple[str, str]) -> bool:
        """Tell whether all moves are moves of one package."""
        old, new = package
        return all(_within(one, old) and _within(to, new) for one, to in self._modules.items())

    def followed(self, atom: Atom) -> Atom:
        """Return an import as it reads after the moves."""
        to = self._modules.get(atom.module)
        old, new = self._package
        if to is None and old and new and _within(atom.module, old) and not _within(atom.module, new):
            to = new + atom.module[len(old) :]
        return atom if to is None else Atom(to, atom.name, atom.alias)


def _within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def _package(module: str, to: str) -> tuple[str, str]:
    """Return the parts in which the paths of a moved module differ: ``a.x`` and ``a.b.x`` make ``a`` and ``a.b``."""
    old, new = module.split("."), to.split(".")
    while old and new and old[-1] == new[-1]:
        old.pop()
        new.pop()
    return ".".join(old), ".".join(new)


def _contend(
    base: Mapping[Atom, None],
    ours: Mapping[Atom, None],
    theirs: Mapping[Atom, None],
    wanted: Mapping[Atom, None],
) -> bool:
    """Tell whether a name would come from two sources that no version has together, or from none that a side gave it."""
    sources: dict[str, set[Atom]] = {}
    for atom in wanted:
        sources.setdefault(atom.bound, set()).add(atom)
    for found in sources.values():
        if len(found) > 1 and not any(found <= set(side) for side in (ours, theirs)):
            return True
    # One side gave a name another source, the other dropped it or gave it a third.
    for atom in base:
        if atom in ours or atom in theirs:
            continue
        mine = {one for one in ours if one.bound == atom.bound}
        its = {one for one in theirs if one.bound == atom.bound}
        if mine != its and mine and its:
            return True
    return False
