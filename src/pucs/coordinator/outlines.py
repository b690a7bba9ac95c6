"""Whether the symbols that somebody wants to lease are there; apart, because only such a request needs to parse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.errors import Usage
from pucs.core.resources import file_path, file_resource, is_symbol, symbol_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.coordinator.context import Context

NAMES_SHOWN = 5
"""Symbols named in a complaint; a longer list is found in the file itself."""


def check_symbols(context: Context, *, agent: str, resources: Iterable[str]) -> None:
    """Check that symbols are defined in the agent's worktree; those it holds may have been renamed since.

    Raises:
        Usage: a symbol is not defined, or its file is not there or has no definitions that can be told apart.
        Refused: the file cannot be read.
    """
    wanted = [resource for resource in resources if is_symbol(resource)]
    if not wanted:
        return
    with context.store.read() as tx:
        known = tx.agents.get(agent)
        held = {lease.resource for lease in tx.leases.of_agent(agent)}
    place = known.worktree if known is not None and known.worktree else context.repository.root
    names: dict[str, frozenset[str]] = {}
    for resource in wanted:
        if resource in held:
            continue
        file = file_resource(resource)
        if file not in names:
            names[file] = _names(context, place, file)
        if symbol_name(resource) not in names[file]:
            raise _unknown(resource, names[file])


def _names(context: Context, place: str, file: str) -> frozenset[str]:
    from pucs.syntax.definitions import Unparsable, definitions, supports  # noqa: PLC0415 - only symbols need a parser

    path = file_path(file)
    if not supports(path):
        raise Usage(f"The definitions of {path} are not known: it is not Python.", remedy="Lease the file.")
    source = context.worktrees.read(place, file)
    if source is None:
        raise Usage(f"There is no file {path} in {place}.", remedy="Lease the file, then write it.")
    try:
        return definitions(source).names()
    except Unparsable as error:
        where = f", line {error.line}" if error.line else ""
        raise Usage(
            f"The definitions of {path} cannot be told apart: {error}{where}.", remedy="Lease the file."
        ) from error


def _unknown(resource: str, names: frozenset[str]) -> Usage:
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    symbol = symbol_name(resource)
    spelled = {name.casefold(): name for name in sorted(names)}
    bare = symbol.rpartition(".")[2]
    near = [spelled[one] for one in get_close_matches(symbol.casefold(), list(spelled), NAMES_SHOWN)]
    near += [name for name in sorted(names) if name.rpartition(".")[2] == bare]
    meant = list(dict.fromkeys(near))[:NAMES_SHOWN]
    some = ", ".join(sorted(names)[:NAMES_SHOWN])
    hint = (
        f"Did you mean {' or '.join(meant)}? "
        if meant
        else f"It defines, for example, {some}. "
        if some
        else ""
    )
    return Usage(
        f"{file_path(resource)} defines no {symbol!r}.",
        remedy=f"{hint}A new definition belongs to whoever adds it: any symbol lease of the file is enough, and to a "
        "file without one lease the file.",
    )
