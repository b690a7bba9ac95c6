"""The ways to a store that contending processes take: the verbs in process, and the client over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from pucs.coordinator import inspecting, leases, log
from pucs.coordinator.agents import register
from pucs.coordinator.context import Context
from pucs.core.modes import Mode
from pucs.launch.bells import FifoBell, FifoBells
from pucs.launch.processes import SystemClock, SystemProcesses
from pucs.store.places import is_address
from pucs.store.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.client import PUCSClient
    from pucs.core.errors import EnvironmentFailure

Tokens = dict[str, int]
UNCHANGED = "Nothing was changed"
"""What an error says that claims it."""


class Undone(Exception):
    """The call failed, and the product claims that it changed nothing."""


class Lost(Exception):
    """The call failed, and nobody knows whether it was done."""


def opened(place: str) -> Context:
    """Open a store, a directory or a database's URL; leases alone need no repository."""
    processes = SystemProcesses()
    if is_address(place):
        from pucs.store.postgres import PostgresStore  # noqa: PLC0415 - an extra
        from pucs.store.postgres_bells import PostgresBells  # noqa: PLC0415 - the same

        shared = PostgresStore(place)
        bells: Any = PostgresBells(shared, FifoBell)
        return Context(
            store=shared, clock=shared.clock, processes=processes, bells=bells, git=_NO_GIT, door="proof"
        )
    clock = SystemClock()
    file = store_file(place)
    return Context(
        store=SQLiteStore(file, clock),
        clock=clock,
        processes=processes,
        bells=FifoBells(file.parent / "bells"),
        git=_NO_GIT,
        door="proof",
    )


def store_file(place: str) -> Path:
    """Return the file of a store in a directory."""
    return Path(place) / "store" / "state.db"


_NO_GIT = cast("Any", None)


class Door(Protocol):
    """One agent's way to the store."""

    remote: bool

    def acquire(
        self,
        names: tuple[str, ...],
        mode: Mode,
        *,
        lease_s: float,
        wait_s: float,
        cancelled: Callable[[], bool],
    ) -> tuple[bool, Tokens]:
        """Ask for a set, and wait if it may."""
        ...

    def release(self, name: str, token: int) -> bool:
        """Give one resource up; tell whether it was held."""
        ...

    def weaken(self, name: str, token: int, mode: Mode) -> Tokens:
        """Keep one resource in a weaker mode."""
        ...

    def renew(self, *, lease_s: float) -> dict[str, tuple[int, Mode]]:
        """Renew what is held, and return it."""
        ...

    def look(self, name: str) -> list[tuple[str, int]]:
        """Return who holds a resource, with tokens."""
        ...

    def say(self, text: str) -> None:
        """Append an entry to the cross-log."""
        ...


class InProcess:
    """The verbs on an open store."""

    remote = False

    def __init__(self, place: str, agent: str) -> None:
        self.agent = agent
        self.context = opened(place)
        register(self.context, agent=agent, owner=self.context.processes.current())

    def acquire(
        self,
        names: tuple[str, ...],
        mode: Mode,
        *,
        lease_s: float,
        wait_s: float,
        cancelled: Callable[[], bool],
    ) -> tuple[bool, Tokens]:
        """Ask for a set, and wait if it may."""
        found = leases.acquire(
            self.context,
            agent=self.agent,
            resources=names,
            mode=mode,
            duration_s=lease_s,
            wait_s=wait_s,
            cancelled=cancelled,
        )
        return found.granted, found.tokens

    def release(self, name: str, token: int) -> bool:
        """Give up one lease, by its token."""
        return name in leases.release(self.context, agent=self.agent, resources=[name], token=token).resources

    def weaken(self, name: str, token: int, mode: Mode) -> Tokens:
        """Keep one resource in a weaker mode."""
        return leases.downgrade(self.context, agent=self.agent, resources=[name], to=mode, token=token)

    def renew(self, *, lease_s: float) -> dict[str, tuple[int, Mode]]:
        """Renew what is held, and return it."""
        found = leases.renew(self.context, agent=self.agent, duration_s=lease_s)
        return {lease.resource: (lease.token, lease.mode) for lease in found}

    def look(self, name: str) -> list[tuple[str, int]]:
        """Return who holds a resource, with tokens."""
        return [(lease.agent, lease.token) for lease in inspecting.why(self.context, resource=name).holders]

    def say(self, text: str) -> None:
        """Append an entry to the cross-log."""
        log.log(self.context, agent=self.agent, action=text)


class OverHTTP:
    """The client of a server, which is given the resource alone, not its token."""

    remote = True

    def __init__(self, url: str, repository: str, agent: str) -> None:
        from pucs import PUCSClient  # noqa: PLC0415 - the whole surface

        self.client: PUCSClient = PUCSClient(agent, repo=repository, store=url)
        self.client.register()

    def acquire(
        self,
        names: tuple[str, ...],
        mode: Mode,
        *,
        lease_s: float,
        wait_s: float,
        cancelled: Callable[[], bool],
    ) -> tuple[bool, Tokens]:
        """Ask for a set, and wait if it may."""
        del cancelled  # asked once a second only
        found = self.client.acquire_locks(names, mode.value, lease_s / 60, wait_s)
        return found.granted, found.tokens

    def release(self, name: str, token: int) -> bool:
        """Give up whatever lease there is on a resource."""
        del token
        return name in self.client.release_locks([name]).resources

    def weaken(self, name: str, token: int, mode: Mode) -> Tokens:
        """Keep one resource in a weaker mode."""
        del token
        return self.client.release_locks([name], to=mode.value).tokens

    def renew(self, *, lease_s: float) -> dict[str, tuple[int, Mode]]:
        """Renew what is held, and return it."""
        found = self.client.renew_locks(lease_s / 60)
        return {lease.resource: (lease.token, lease.mode) for lease in found}

    def look(self, name: str) -> list[tuple[str, int]]:
        """Return who holds a resource, with tokens."""
        return [(lease.agent, lease.token) for lease in self.client.check_lock(name).holders]

    def say(self, text: str) -> None:
        """Append an entry to the cross-log."""
        self.client.log_change(text)


def understood(error: EnvironmentFailure, *, remote: bool, whole: bool) -> Exception:
    """Return what a failure says of a call: undone, or not known; ``whole``: the call is one transaction."""
    return Undone(str(error)) if UNCHANGED in str(error) and whole and not remote else Lost(str(error))
