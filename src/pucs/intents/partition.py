"""How agents that need one module can divide it by its functions and classes (000 §3.4 ``negotiate_partition``).

What an agent has changed or named as a resource is certain, what its words mention is likely, the rest nobody needs.
The certain comes before the likely, and among equals who was first comes first. A symbol that two need goes to the
first; the other waits for it. Scopes never overlap, a class and its own method included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

EVERYDAY_WORDS = frozenset({
    "a", "add", "all", "and", "as", "by", "change", "check", "fix", "for", "from", "get", "in", "is", "it", "main", "make",
    "new", "of", "on", "or", "read", "run", "set", "test", "the", "to", "update", "use", "with", "write",
})  # fmt: skip
"""Words that name a function only when they are written as code: anybody's description holds some of them."""

_NAME = r"[^\W\d]\w*"
_DOTTED = re.compile(rf"{_NAME}(?:\.{_NAME})*")
_CODE = re.compile(rf"`\s*({_NAME}(?:\.{_NAME})*)\s*(?:\(\s*\))?\s*`|\b({_NAME}(?:\.{_NAME})*)\(")
_PATHS = re.compile(r"\S*/\S*|\S+\.pyi?(?:\b|$)")
_CHUNK = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One agent that needs the module, as far as is known what of it."""

    agent: str
    changed: frozenset[str] = frozenset()
    """Symbols it has changed and not landed, by qualified names."""
    named: frozenset[str] = frozenset()
    """Symbols it holds, waits for or plans by name."""
    words: str = ""
    """What it says it is going to do."""
    beyond: tuple[str, ...] = ()
    """What it has changed that belongs to no symbol; such a change needs the whole file."""
    holds: bool = False
    """It holds the whole file: without a scope of its own it keeps that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """Who takes what, or why the module cannot be divided."""

    scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Symbols of each agent that has any, sorted, no two overlapping."""
    waits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Symbols that an agent needs too and that an earlier one has."""
    unassigned: tuple[str, ...] = ()
    """Symbols that nobody needs, outermost ones only."""
    queued: tuple[str, ...] = ()
    """Agents for which there is no scope: they wait for the file as a whole."""
    reason: str = ""
    """Why there is no division, in one sentence; empty if there is one."""


def divide(symbols: Collection[str], parties: Sequence[Party]) -> Division:
    """Divide the symbols of a module among agents, given in the order of their turn."""
    for party in parties:
        if party.beyond:
            return _undivided(
                parties,
                f"{party.agent} has changed what belongs to no function or class: {', '.join(party.beyond)}.",
            )
    needs = {party.agent: _needs(symbols, party) for party in parties}
    unknown = [agent for agent, (certain, likely) in needs.items() if not certain and not likely]
    scopes: dict[str, list[str]] = {party.agent: [] for party in parties}
    waits: dict[str, list[str]] = {party.agent: [] for party in parties}
    for party in parties:
        for symbol in sorted(needs[party.agent][0]):
            _give(symbol, party.agent, scopes, waits)
    for party in parties:
        for symbol in sorted(needs[party.agent][1]):
            _give_likely(symbol, party.agent, symbols, scopes, waits)
    served = {agent: tuple(sorted(scope)) for agent, scope in scopes.items() if scope}
    queued = tuple(party.agent for party in parties if party.agent not in served)
    stuck = [party.agent for party in parties if party.holds and party.agent in queued]
    if len(served) < _SIDES or stuck:
        return _undivided(parties, _why(unknown, waits, stuck))
    return Division(
        scopes=served,
        waits={agent: tuple(sorted(waited)) for agent, waited in waits.items() if waited and agent in served},
        unassigned=_unassigned(symbols, served.values()),
        queued=queued,
    )


_SIDES = 2
"""Fewest agents between whom something is divided."""


def _undivided(parties: Sequence[Party], reason: str) -> Division:
    return Division(queued=tuple(party.agent for party in parties[1:]), reason=reason)


def _why(unknown: Sequence[str], waits: Mapping[str, Sequence[str]], stuck: Sequence[str]) -> str:
    if unknown:
        return f"It is not known which functions or classes {_joined(unknown)} needs."
    behind = [agent for agent, waited in waits.items() if waited]
    if behind:
        agent = next(iter(stuck), behind[0])
        return f"All that {agent} needs is needed by others first: {', '.join(sorted(waits[agent]))}."
    return "There are no two agents to divide it between."


def _joined(names: Sequence[str]) -> str:
    return " and ".join(names)


def overlapping(one: str, other: str) -> bool:
    """Tell whether two symbols are the same, or one is inside the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _needs(symbols: Collection[str], party: Party) -> tuple[set[str], set[str]]:
    """Return what an agent certainly and what it likely needs; what is named need not exist yet."""
    certain = _outermost((party.changed & frozenset(symbols)) | party.named)
    likely = {
        symbol
        for symbol in mentioned(party.words, symbols)
        if not any(overlapping(symbol, other) for other in certain)
    }
    return certain, likely


def _outermost(symbols: Iterable[str]) -> set[str]:
    named = set(symbols)
    return {symbol for symbol in named if not any(outer in named for outer in _around(symbol))}


def _around(symbol: str) -> list[str]:
    parts = symbol.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _give(symbol: str, agent: str, scopes: dict[str, list[str]], waits: dict[str, list[str]]) -> None:
    """Give an agent a symbol, unless another has a part of it: then it waits for it."""
    (waits if _taken(symbol, agent, scopes) else scopes)[agent].append(symbol)


def _give_likely(
    symbol: str,
    agent: str,
    symbols: Collection[str],
    scopes: dict[str, list[str]],
    waits: dict[str, list[str]],
) -> None:
    """Give an agent what it mentions; of a class in which others have methods, the other members."""
    taken = _taken(symbol, agent, scopes)
    if not all(other.startswith(f"{symbol}.") for other in taken):
        waits[agent].append(symbol)
        return
    if not taken:
        scopes[agent].append(symbol)
        return
    free = {
        member
        for member in symbols
        if member.startswith(f"{symbol}.") and not any(overlapping(member, other) for other in taken)
    }
    scopes[agent] += sorted(_outermost(free))
    if not free:
        waits[agent].append(symbol)


def _taken(symbol: str, agent: str, scopes: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        other
        for owner, scope in scopes.items()
        if owner != agent
        for other in scope
        if overlapping(symbol, other)
    ]


def _unassigned(symbols: Collection[str], scopes: Iterable[Sequence[str]]) -> tuple[str, ...]:
    given = {symbol for scope in scopes for symbol in scope}
    inside = {*given, *(outer for symbol in given for outer in _around(symbol))}
    free = {symbol for symbol in symbols if symbol not in inside and given.isdisjoint(_around(symbol))}
    return tuple(sorted(_outermost(free)))


def mentioned(words: str, symbols: Collection[str]) -> frozenset[str]:
    """Return the symbols that a description names: as code, by their dotted names, or word by word.

    ``fill predictor`` names ``FillPredictor`` and ``fill_predictor``. A method is named with its class, or alone where
    no other class has one of that name. Of a class and its method only the method counts.
    """
    code = {first or second for first, second in _CODE.findall(words)}
    text = _PATHS.sub(" ", words)
    written = set(_DOTTED.findall(text)) | code
    exact = {_meant(name, symbols) for name in written if "." in name} | {
        name for name in code if name in symbols
    }
    spoken = _Spoken(text)
    by_last: dict[str, set[str]] = {}
    for symbol in symbols:
        by_last.setdefault(_last(symbol), set()).add(symbol)
    loose = {
        symbol
        for name, group in by_last.items()
        if name in code or _is_said(name, written, spoken)
        for symbol in group
    }
    found = {
        symbol
        for symbol in exact | loose
        if symbol
        and (
            symbol in exact
            or "." not in symbol
            or symbol.rpartition(".")[0] in exact | loose
            or len(by_last[_last(symbol)]) == 1
        )
    }
    inner = {outer for symbol in found for outer in _around(symbol)}
    return frozenset(found - inner)


def _last(symbol: str) -> str:
    return symbol.rpartition(".")[2]


def _meant(written: str, symbols: Collection[str]) -> str:
    """Return the symbol that a dotted name stands for, perhaps with its module in front; empty: none."""
    parts = written.split(".")
    tails = (".".join(parts[at:]) for at in range(len(parts)))
    return next((tail for tail in tails if tail in symbols), "")


class _Spoken:
    """The words of a text, ready to be asked for several in a row."""

    def __init__(self, text: str) -> None:
        self._words = _words(text)
        self._rows: dict[int, set[tuple[str, ...]]] = {}

    def has(self, parts: tuple[str, ...]) -> bool:
        """Tell whether these words stand in the text in this order, next to each other."""
        count = len(parts)
        if count not in self._rows:
            starts = range(len(self._words) - count + 1)
            self._rows[count] = {self._words[at : at + count] for at in starts}
        return parts in self._rows[count]


def _is_said(name: str, written: Collection[str], spoken: _Spoken) -> bool:
    """Tell whether a text names a symbol by its own name or by the words in it."""
    parts = _words(name)
    if not parts or name.startswith("_"):
        return name in written
    return spoken.has(parts) and not (len(parts) == 1 and parts[0] in EVERYDAY_WORDS)


def _words(text: str) -> tuple[str, ...]:
    """Return the words of a text or a name in small letters, taken apart at underscores and humps."""
    return tuple(part.lower() for chunk in _CHUNK.findall(text) for part in (_HUMP.findall(chunk) or [chunk]))
