"""Writes a merged set of imports into the statements of the side that changed more, with the other's beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from pucs.merge.matching import matching
from pucs.merge.python.import_blocks import placed, rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pucs.merge.python.import_atoms import Atom
    from pucs.merge.python.import_blocks import Block, Zone

T = TypeVar("T")


def woven(
    base: Zone, ours: Zone, theirs: Zone, wanted: Mapping[Atom, None], width: int
) -> list[Block] | None:
    """Return the statements of the merge; None: comments contend, or a statement cannot be written."""
    first, second = (ours, theirs) if _changes(base, ours) >= _changes(base, theirs) else (theirs, ours)
    blocks = list(first.blocks)
    fresh = {id(block) for block in blocks if not any(atom in base.atoms for atom in block.atoms)}
    have = set(first.atoms)
    for block in second.blocks:
        new = [atom for atom in block.atoms if atom in wanted and atom not in have]
        if not new:
            continue
        have.update(new)
        at = _same_module(blocks, block)
        if at is None:
            whole = block if tuple(new) == block.atoms else rewritten(block, new, (), width)
            if whole is None:
                return None
            _insert(blocks, whole, block, second.blocks, fresh if first is ours else set())
            continue
        beside = list(block.atoms) if set(new) <= set(block.atoms) else new
        names = placed(blocks[at].atoms, new, beside, last=first is ours)
        blocks[at] = replace(blocks[at], atoms=tuple(names))  # written below, once all of its names are known
    for atom in wanted:
        if atom in have:
            continue
        # It followed its module to where the other side moved that.
        at = next((index for index, one in enumerate(blocks) if one.module == atom.module), None)
        if at is None:
            _add_moved(blocks, atom, second)
            continue
        blocks[at] = replace(blocks[at], atoms=tuple(placed(blocks[at].atoms, [atom], [atom])))
    return _finished(blocks, wanted, (base, first, second), width)


def _add_moved(blocks: list[Block], atom: Atom, second: Zone) -> None:
    """Add a statement for a name whose module the other side moved."""
    source = next(block for block in second.blocks for one in block.atoms if one[1:] == atom[1:])
    name = f"{atom.name} as {atom.alias}" if atom.alias else atom.name
    line = f"{source.indent}from {atom.module} import {name}\n"
    new = replace(source, lines=(line,), atoms=(atom,))
    _insert(blocks, new, source, second.blocks, set())


def _finished(
    blocks: Sequence[Block], wanted: Mapping[Atom, None], zones: tuple[Zone, Zone, Zone], width: int
) -> list[Block] | None:
    """Write the statements whose names changed, leave out the empty ones, and take over the other side's comments."""
    found: list[Block] = []
    for block in blocks:
        names = [atom for atom in block.atoms if atom in wanted]
        if not names:
            if found and not block.gap:
                continue
            # The next statement of the group takes over the blank lines before it.
            found.append(replace(block, atoms=(), lines=()))
            continue
        written = _written(block, names, zones, width)
        if written is None:
            return None
        found.append(written)
    return _closed(found)


def _closed(blocks: Sequence[Block]) -> list[Block]:
    """Leave out statements without names; the blank lines before them go to the next one of their group."""
    found: list[Block] = []
    gap = 0
    for block in blocks:
        if not block.lines:
            gap = max(gap, block.gap)
            continue
        found.append(replace(block, gap=max(gap, block.gap)) if gap else block)
        gap = 0
    return found


def _written(block: Block, names: Sequence[Atom], zones: tuple[Zone, Zone, Zone], width: int) -> Block | None:
    """Return one statement in the form of the side that changed its form, with these names."""
    was, mine, its = (_counterpart(one, block) for one in zones)
    above = _either(was, mine, its, lambda one: one.above)
    if above is None:
        return None
    forms = [one for one in (mine, its) if one is not None]
    if was is not None and mine is not None and its is not None and mine.text == was.text:
        forms = [its, mine]
    for form in forms:
        if set(form.atoms) == set(names) and (form.note == _note(was, mine, its)):
            return replace(form, above=above, gap=block.gap)
    if not forms:
        return replace(block, above=above)
    note = _note(was, mine, its)
    fuller = max(forms, key=lambda one: ("(" in one.text, len(one.atoms)))
    if _sorted_like(fuller, names) is False:
        fuller = forms[0]
    written = rewritten(fuller, names, forms, width)
    if written is None or note is None or (note != fuller.note and note not in written.text):
        return None if note is None or written is None else _noted(written, note, above, block.gap)
    return replace(written, above=above, gap=block.gap)


def _sorted_like(form: Block, names: Sequence[Atom]) -> bool:
    kept = [atom for atom in form.atoms if atom in names]
    return kept == [atom for atom in names if atom in kept]


def _noted(block: Block, note: str, above: tuple[str, ...], gap: int) -> Block | None:
    """Return a statement of one line with a comment behind it."""
    if len(block.lines) != 1 or "#" in block.text:
        return None
    line = block.lines[0].rstrip("\n")
    return replace(block, lines=(f"{line}  {note}\n",), above=above, gap=gap)


def _note(was: Block | None, mine: Block | None, its: Block | None) -> str | None:
    return _either(was, mine, its, lambda one: one.note)


def _either(was: Block | None, mine: Block | None, its: Block | None, of: Callable[[Block], T]) -> T | None:
    """Return what one side made of something about a statement, None where both made different things of it."""
    if mine is None or its is None:
        left = mine or its
        return of(left) if left is not None else None
    if of(mine) == of(its):
        return of(mine)
    if was is None:
        return of(mine) or of(its) if not (of(mine) and of(its)) else None
    if of(mine) == of(was):
        return of(its)
    return of(mine) if of(its) == of(was) else None


def _counterpart(one: Zone, block: Block) -> Block | None:
    """Return the statement of a version that a statement stems from: most names in common, else the same module."""
    best, most = None, 0
    for candidate in one.blocks:
        common = len(set(candidate.atoms) & set(block.atoms))
        if common > most:
            best, most = candidate, common
    if best is None and block.module:
        best = next((candidate for candidate in one.blocks if candidate.module == block.module), None)
    return best


def _same_module(blocks: Sequence[Block], block: Block) -> int | None:
    """Return the statement that can take names of another, None: they need one of their own."""
    if not block.module or any(atom.name == "*" for atom in block.atoms):
        return None
    found = [
        index
        for index, one in enumerate(blocks)
        if one.module == block.module and not any(atom.name == "*" for atom in one.atoms)
    ]
    return found[0] if len(found) == 1 else None  # several: a line for each name


def _changes(base: Zone, side: Zone) -> int:
    """Return how many lines of imports a side changed, the ones it moved counted twice."""
    was = [line for block in base.blocks for line in block.lines]
    now = [line for block in side.blocks for line in block.lines]
    return len(was) + len(now) - 2 * len(matching(was, now))


def _insert(
    blocks: list[Block], new: Block, source: Block, others: Sequence[Block], before: set[int]
) -> None:
    """Put a statement of the other side among the blocks: sorted if its group is, else behind its neighbour there.

    ``before`` are statements that come first of two added at one place.
    """
    if not _late(new):  # stands first, or Python does not take it
        blocks.insert(0, replace(new, gap=blocks[0].gap if blocks else new.gap))
        if len(blocks) > 1:
            blocks[1] = replace(blocks[1], gap=max(1, source.gap) if _late(blocks[1]) else 0)
        return
    group = _group(others, others.index(source))
    start, end = _home(blocks, others, source, group)
    if start is None:
        at = len(blocks) if end is None else end
        blocks.insert(at, replace(new, gap=max(new.gap, 1) if at else new.gap))
        return
    assert end is not None
    for key in KEYS:
        keys = [key(one) for one in blocks[start:end]]
        if keys == sorted(keys):
            at = start + sum(one <= key(new) for one in keys)
            break
    else:
        at = _behind(blocks, others, source, start, end)
        while at < end and id(blocks[at]) in before:
            at += 1
    if at == start and start < len(blocks):  # the group's blank lines stay in front of it
        new, blocks[start] = replace(new, gap=blocks[start].gap), replace(blocks[start], gap=0)
    else:
        new = replace(new, gap=0)
    blocks.insert(at, new)


def _group(blocks: Sequence[Block], at: int) -> tuple[int, int]:
    """Return the range of statements without blank lines between them around one."""
    start, end = at, at + 1
    while start > 0 and not blocks[start].gap:
        start -= 1
    while end < len(blocks) and not blocks[end].gap:
        end += 1
    return start, end


def _home(
    blocks: Sequence[Block], others: Sequence[Block], source: Block, group: tuple[int, int]
) -> tuple[int | None, int | None]:
    """Return the group in which a statement of the other side belongs; (None, place): one of its own, there."""
    at = others.index(source)
    near = [*range(at - 1, group[0] - 1, -1), *range(at + 1, group[1])]
    for index in near:
        found = _found(blocks, others[index])
        if found is not None:
            return _group(blocks, found)
    alone = group == (0, len(others))
    if alone and blocks and _group(blocks, 0) == (0, len(blocks)):
        return 0, len(blocks)
    root = source.module.split(".")[0] if source.module else source.atoms[0].name.split(".")[0]
    for index, one in enumerate(blocks):
        if root and (one.module or one.atoms[0].name).split(".")[0] == root:
            return _group(blocks, index)
    for index in range(at - 1, -1, -1):
        found = _found(blocks, others[index])
        if found is not None:
            return None, _group(blocks, found)[1]
    return None, None if at else 0


def _found(blocks: Sequence[Block], other: Block) -> int | None:
    """Return the statement that corresponds to one of the other side."""
    for index, one in enumerate(blocks):
        if set(one.atoms) & set(other.atoms) or (one.module and one.module == other.module):
            return index
    return None


def _behind(blocks: Sequence[Block], others: Sequence[Block], source: Block, start: int, end: int) -> int:
    for index in range(others.index(source) - 1, -1, -1):
        found = _found(blocks, others[index])
        if found is not None and start <= found < end:
            return found + 1
    return end if others.index(source) else start


def _late(block: Block) -> bool:
    """Tell whether a statement may stand behind others."""
    return block.module != "__future__"


def _by_kind(block: Block) -> tuple[object, ...]:
    return _late(block), bool(block.module), (block.module or block.atoms[0].name).lower()


def _by_module(block: Block) -> tuple[object, ...]:
    return _late(block), (block.module or block.atoms[0].name).lower()


def _by_line(block: Block) -> tuple[object, ...]:
    return _late(block), block.text


KEYS: tuple[Callable[[Block], tuple[object, ...]], ...] = (_by_kind, _by_module, _by_line)
"""How tools and people sort statements: plain imports first, by module, as lines."""
