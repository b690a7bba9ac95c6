"""Agents in and out of their table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pucs.agents.records import Agent, Enforcement, Halt, Phase
from pucs.store.rows.database import decoded_process

if TYPE_CHECKING:
    from pucs.store.rows.database import Database

_COLUMNS = (
    "id, session, incarnation, stream, phase, program, worktree, branch, owner, enforcement, heartbeat_s, boot_id, "
    "registered_at, task, halt, halted_by, halted_because"
)
_SELECT = f"SELECT {_COLUMNS} FROM agents "  # noqa: S608 - constant text
# An update that leaves the session alone leaves its index alone, too.
_PUT = (
    f"INSERT INTO agents ({_COLUMNS}) VALUES ({', '.join('?' * 17)}) ON CONFLICT (id) DO UPDATE SET "  # noqa: S608
    + ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS.split(", ")[1:])
)
_PHASES = {phase.value: phase for phase in Phase}
_HALTS = {halt.value: halt for halt in Halt}
_ENFORCEMENTS = {enforcement.value: enforcement for enforcement in Enforcement}


class AgentRows:
    """See ``coordinator.tables.AgentRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def get(self, agent: str) -> Agent | None:
        """Return one agent."""
        row = self._database.one(_SELECT + "WHERE id = ?", (agent,))
        return _agent(row) if row else None

    def put(self, agent: Agent) -> None:
        """Insert or overwrite one agent."""
        self._database.run(
            _PUT,
            (
                agent.id,
                agent.session,
                agent.incarnation,
                agent.stream,
                agent.phase.value,
                agent.program,
                agent.worktree,
                agent.branch,
                agent.owner.encode() if agent.owner else None,
                agent.enforcement.value,
                agent.heartbeat_s,
                agent.boot_id,
                agent.registered_at,
                agent.task,
                agent.halt.value,
                agent.halted_by,
                agent.halted_because,
            ),
        )

    def step(self, agent: str, phase: Phase, task: str) -> None:
        """Change where an agent is in its life and what it works on."""
        self._database.run("UPDATE agents SET phase = ?, task = ? WHERE id = ?", (phase, task, agent))

    def all(self, session: str) -> list[Agent]:
        """Return the agents of a session by id."""
        return [
            _agent(row) for row in self._database.all(_SELECT + "WHERE session = ? ORDER BY id", (session,))
        ]


def _agent(row: tuple[Any, ...]) -> Agent:
    return Agent(
        id=row[0],
        session=row[1],
        incarnation=row[2],
        stream=row[3],
        phase=_PHASES[row[4]],
        program=row[5],
        worktree=row[6],
        branch=row[7],
        owner=decoded_process(row[8]) if row[8] else None,
        enforcement=_ENFORCEMENTS[row[9]],
        heartbeat_s=row[10],
        boot_id=row[11],
        registered_at=row[12],
        task=row[13],
        halt=_HALTS[row[14]],
        halted_by=row[15],
        halted_because=row[16],
    )
