"""Where a view acts: the repository and store around the caller, opened once, and names as the caller writes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.coordinator import agents, inspecting, leases, releasing
from pucs.coordinator.liveness import standing
from pucs.coordinator.noting import note
from pucs.core.errors import Usage
from pucs.core.instants import iso
from pucs.core.modes import Mode, covers
from pucs.wiring import open_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context
    from pucs.coordinator.leases import Acquired
    from pucs.core.resources import Resource
    from pucs.locks.records import Lease, Request

PLACES_MAX = 16
"""Stores kept open at once: a program works in one, a test in a few."""
STATE_DIRECTORY = Path(".claude/state")
"""Where the designs kept their state files; here it is where an export writes them (001 §3, 002 §7)."""


@dataclass(frozen=True, slots=True)
class Place:
    """A repository with its store, as one caller sees it."""

    context: Context
    repo: str
    """The directory that relative names are read in."""

    def canonical(self, names: Sequence[str]) -> tuple[Resource, ...]:
        """Return the canonical resources of names as the caller writes them.

        Raises:
            Usage: a name is outside the repository, or a plain string was given for a list of names.
        """
        if isinstance(names, str):
            raise Usage("The files are one string.", remedy=f"Pass a list: [{names!r}].")
        return self.context.worktrees.canonical(self.repo, names)

    def acquire(
        self,
        name: str,
        *,
        agent: str,
        mode: Mode = Mode.EXCLUSIVE,
        duration_min: float | None = None,
        wait_s: float = 0.0,
        task: str = "",
        stream: str = "",
    ) -> Acquired:
        """Lease one file, directory or symbol for an agent."""
        names = self.canonical([name])
        self._revive(agent)
        return leases.acquire(
            self.context,
            agent=agent,
            resources=names,
            mode=mode,
            duration_s=None if duration_min is None else duration_min * 60,
            wait_s=wait_s,
            task=task,
            stream=stream,
            noted=note(self.context, agent=agent, resources=names),
        )

    def _revive(self, agent: str) -> None:
        """Begin a new incarnation of an agent whose process has died: these callers have no other way to say so."""
        with self.context.store.read() as tx:
            known = tx.agents.get(agent)
        if known is None or not known.active or known.owner is None:
            return
        if self.context.processes.alive(known.owner) is False:
            agents.register(self.context, agent=agent, stream=known.stream, program="client")

    def release(self, name: str, *, agent: str) -> bool:
        """Give up an agent's lease on a name and tell whether it held one; its unlanded work lands or is kept."""
        return bool(releasing.give_up(self.context, agent=agent, resources=self.canonical([name])).resources)

    def holders(self, name: str) -> list[Lease]:
        """Return the leases that stand on a name now, the strongest first; what is over holds nothing."""
        found = inspecting.why(self.context, resource=self.canonical([name])[0]).holders
        held = standing(self.context.processes, self.context.clock.now(), found)
        return sorted(held, key=lambda lease: sum(covers(lease.mode, mode) for mode in Mode), reverse=True)

    def waiting(self, name: str) -> list[Request]:
        """Return who waits for a name, in order."""
        return inspecting.queue(self.context, resources=self.canonical([name])[:1])


def here(repo: str | Path = "", store: str = "", session: str = "") -> Place:
    """Return the place of the caller: what is named, else ``PUCS_REPO`` and the like, else the current directory.

    Raises:
        EnvironmentFailure: not a git repository, or there is no store; the message says what to do.
    """
    root = str(Path(repo or os.environ.get("PUCS_REPO") or ".").absolute())
    named = (store or os.environ.get("PUCS_STORE", ""), session or os.environ.get("PUCS_SESSION", ""))
    return _opened(root, *named)


@lru_cache(maxsize=PLACES_MAX)
def _opened(root: str, store: str, session: str) -> Place:
    return Place(open_context(root, store=store, session=session, door="classic"), root)


def since_text(since: datetime | None) -> str:
    """Return the beginning of a span as the log's times are written; a naive time is local, as ``datetime.now()`` is."""
    return "" if since is None else iso(since.astimezone(UTC).timestamp())


def now_text() -> str:
    """Return the time of now as every time here is written."""
    return iso(datetime.now(UTC).timestamp())
