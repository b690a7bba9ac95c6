"""What stands before a request: who has, or wants, what, answered without comparing every pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.modes import Mode, compatible
from pucs.core.resources import ancestors, is_named
from pucs.locks.records import Limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SEVERAL = ""
"""Stands for more than one agent; no agent has this id."""
_ONE_SLOT = Limit()
"""The limit of a named resource that nothing is configured for."""


class Table:
    """Resources and modes of agents in the tree of paths, where overlap is what counts."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._at: dict[str, dict[Mode, str]] = {}
        self._below: dict[str, dict[Mode, str]] = {}

    def add(self, agent: str, resource: str, mode: Mode) -> None:
        """Enter a resource for an agent."""
        _enter(self._at, resource, mode, agent)
        for outer in ancestors(resource):
            _enter(self._below, outer, mode, agent)

    def blocks(self, agent: str, resource: str, mode: Mode) -> bool:
        """Tell whether what other agents have here keeps ``agent`` from being given ``resource``."""
        return any(
            other != agent and not compatible(held, mode)
            for entries in self._around(resource)
            for held, other in entries.items()
        )

    def meets(self, agent: str, resource: str, mode: Mode) -> bool:
        """Tell whether ``agent``, who has ``resource``, keeps others from being given what they want here."""
        return any(
            other != agent and not compatible(mode, wanted)
            for entries in self._around(resource)
            for wanted, other in entries.items()
        )

    def _around(self, resource: str) -> Iterator[dict[Mode, str]]:
        for table, place in (
            (self._at, resource),
            (self._below, resource),
            *((self._at, outer) for outer in ancestors(resource)),
        ):
            if place in table:
                yield table[place]


class Front:
    """Everything before a request: leases, earlier requests, and the limits of named resources.

    A named resource is had by as many agents at once as its limit says, and granted as often; an earlier request counts
    like a lease, so that nobody passes it. Paths and named resources never overlap.
    """

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        """Begin with nothing before."""
        self._limits = limits
        self._paths = Table()
        self._users: dict[str, set[str]] = {}
        self._asked: dict[str, int] = {}

    def hold(self, agent: str, resource: str, mode: Mode) -> None:
        """Enter a lease."""
        if is_named(resource):
            self._users.setdefault(resource, set()).add(agent)
        else:
            self._paths.add(agent, resource, mode)

    def ask(self, agent: str, resources: Iterable[tuple[str, Mode]]) -> None:
        """Enter a request; one that is granted will be a lease and a grant of its window."""
        for resource, mode in resources:
            self.hold(agent, resource, mode)
            if is_named(resource):
                self._asked[resource] = self._asked.get(resource, 0) + 1

    def blocks(self, agent: str, resources: Iterable[tuple[str, Mode]]) -> bool:
        """Tell whether any of this keeps ``agent`` from being given the set."""
        return any(
            self.taken(agent, resource) or self.closed(resource)
            if is_named(resource)
            else self._paths.blocks(agent, resource, mode)
            for resource, mode in resources
        )

    def taken(self, agent: str, name: str) -> bool:
        """Tell whether a named resource has no slot left for ``agent``."""
        others = self._users.get(name, set()) - {agent}
        return len(others) >= self._limits.get(name, _ONE_SLOT).concurrency

    def closed(self, name: str) -> bool:
        """Tell whether the rate window of a named resource has no room."""
        return self._limits.get(name, _ONE_SLOT).full(self._asked.get(name, 0))

    def opens_s(self, name: str) -> float:
        """Return when the window of a named resource may have room; 0: its rate is not in the way."""
        limit, ahead = self._limits.get(name, _ONE_SLOT), self._asked.get(name, 0)
        return limit.opens_s(ahead) if limit.full(ahead) else 0.0


def _enter(table: dict[str, dict[Mode, str]], place: str, mode: Mode, agent: str) -> None:
    entries = table.setdefault(place, {})
    # Whoever asks needs to know only whether somebody else is there: two agents are as many as a thousand.
    entries[mode] = agent if entries.get(mode, agent) == agent else _SEVERAL
