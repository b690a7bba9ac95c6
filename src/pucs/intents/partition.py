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

WORDS_CHARACTERS_MAX = 20_000
"""Characters that are read of what an agent says: ten of the longest descriptions."""

DEPTH_MAX = 20
"""Parts of a dotted name that are read: nobody nests classes deeper."""

_NAME = r"[^\W\d]\w*"
_DOTTED = re.compile(rf"{_NAME}(?:\.{_NAME})*")
_FILE = re.compile(r"/|\.pyi?\b")
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
    given = _Given(symbols)
    waits: dict[str, list[str]] = {party.agent: [] for party in parties}
    for party in parties:
        for symbol in sorted(needs[party.agent][0]):
            if given.to_others(symbol, party.agent):
                waits[party.agent].append(symbol)
            else:
                given.give(symbol, party.agent)
    for party in parties:
        waits[party.agent] += [
            symbol for symbol in sorted(needs[party.agent][1]) if not given.give_likely(symbol, party.agent)
        ]
    scopes = given.scopes(party.agent for party in parties)
    served = {agent: tuple(sorted(scope)) for agent, scope in scopes.items() if scope}
    queued = tuple(party.agent for party in parties if party.agent not in served)
    stuck = [party.agent for party in parties if party.holds and party.agent in queued]
    if len(served) < _SIDES or stuck:
        return _undivided(parties, _why(unknown, waits, stuck))
    return Division(
        scopes=served,
        waits={agent: tuple(sorted(waited)) for agent, waited in waits.items() if waited and agent in served},
        unassigned=free_symbols(symbols, (symbol for scope in served.values() for symbol in scope)),
        queued=queued,
    )


_SIDES = 2
"""Fewest agents between whom something is divided."""


def _undivided(parties: Sequence[Party], reason: str) -> Division:
    return Division(queued=tuple(party.agent for party in parties[1:]), reason=reason)


def _why(unknown: Sequence[str], waits: Mapping[str, Sequence[str]], stuck: Sequence[str]) -> str:
    if unknown:
        return f"It is not known which functions or classes {_joined(unknown)} {'needs' if len(unknown) == 1 else 'need'}."
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
    around = {outer for symbol in certain for outer in _around(symbol)} | certain
    likely = {
        symbol
        for symbol in mentioned(party.words, symbols)
        if symbol not in around and certain.isdisjoint(_around(symbol))
    }
    return certain, likely


def _outermost(symbols: Iterable[str]) -> set[str]:
    named = set(symbols)
    return {symbol for symbol in named if not any(outer in named for outer in _around(symbol))}


def _around(symbol: str) -> list[str]:
    parts = symbol.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


class _Given:
    """Which symbol was given to whom, ready to be asked what overlaps another."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self._owner: dict[str, str] = {}
        self._given_below: dict[str, list[str]] = {}
        self._members: dict[str, list[str]] = {}
        for symbol in symbols:
            for outer in _around(symbol):
                self._members.setdefault(outer, []).append(symbol)

    def give(self, symbol: str, agent: str) -> None:
        """Give an agent a symbol that nobody else has a part of."""
        self._owner[symbol] = agent
        for outer in _around(symbol):
            self._given_below.setdefault(outer, []).append(symbol)

    def to_others(self, symbol: str, agent: str) -> list[str]:
        """Return what others were given that overlaps a symbol."""
        around = [*_around(symbol), symbol, *self._given_below.get(symbol, ())]
        return [other for other in around if self._owner.get(other, agent) != agent]

    def give_likely(self, symbol: str, agent: str) -> bool:
        """Give an agent what it mentions; of a class in which others have members, the other members, if there are any."""
        taken = self.to_others(symbol, agent)
        if not taken:
            self.give(symbol, agent)
            return True
        if not all(other.startswith(f"{symbol}.") for other in taken):
            return False
        members = self._members.get(symbol, ())
        free = _outermost(member for member in members if not self.to_others(member, agent))
        for member in sorted(free):
            self.give(member, agent)
        return bool(free)

    def scopes(self, agents: Iterable[str]) -> dict[str, list[str]]:
        """Return what each agent was given."""
        found: dict[str, list[str]] = {agent: [] for agent in agents}
        for symbol, agent in self._owner.items():
            found[agent].append(symbol)
        return found


def free_symbols(symbols: Collection[str], taken: Iterable[str]) -> tuple[str, ...]:
    """Return the outermost symbols that overlap none of those that are taken, sorted."""
    given = set(taken)
    inside = {*given, *(outer for symbol in given for outer in _around(symbol))}
    free = {symbol for symbol in symbols if symbol not in inside and given.isdisjoint(_around(symbol))}
    return tuple(sorted(_outermost(free)))


def mentioned(words: str, symbols: Collection[str]) -> frozenset[str]:
    """Return the symbols that a description names: as code, by their dotted names, or word by word.

    ``fill predictor`` names ``FillPredictor`` and ``fill_predictor``. A method is named with its class, or alone where
    no other class has one of that name. Of a class and its method only the method counts.
    """
    words = words[:WORDS_CHARACTERS_MAX]
    code = _code(words)
    text = " ".join(word for word in words.split() if not _FILE.search(word))
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
    named = exact | loose
    found = {
        symbol
        for symbol in named
        if symbol
        and (
            symbol in exact
            or "." not in symbol
            or symbol.rpartition(".")[0] in named
            or len(by_last[_last(symbol)]) == 1
        )
    }
    inner = {outer for symbol in found for outer in _around(symbol)}
    return frozenset(found - inner)


def _code(words: str) -> set[str]:
    """Return the dotted names that are written in backticks or called with brackets."""
    ticked = (part.strip().removesuffix("()").strip() for part in words.split("`")[1::2])
    found = {name for name in ticked if _DOTTED.fullmatch(name)}
    return found | {match[0] for match in _DOTTED.finditer(words) if words.startswith("(", match.end())}


def _last(symbol: str) -> str:
    return symbol.rpartition(".")[2]


def _meant(written: str, symbols: Collection[str]) -> str:
    """Return the symbol that a dotted name stands for, perhaps with its module in front; empty: none."""
    parts = written.split(".")[-DEPTH_MAX:]
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
