"""Conversations of agent programs, secrets of agents, and what agents have seen of files, in and out of their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pucs.agents.records import Conversation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.store.rows.database import Database

_COLUMNS = "program, id, session, agent, place, refusals, denied, briefings, begun_at"
_SELECT = f"SELECT {_COLUMNS} FROM conversations "  # noqa: S608 - constant text
_PUT = (
    f"INSERT INTO conversations ({_COLUMNS}) VALUES ({', '.join('?' * 9)}) "  # noqa: S608 - constant text
    "ON CONFLICT (program, id, session) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS.split(", ")[3:])
)


class ConversationRows:
    """See ``coordinator.tables.ConversationRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def get(self, program: str, conversation: str, session: str) -> Conversation | None:
        """Return one conversation."""
        row = self._database.one(
            _SELECT + "WHERE program = ? AND id = ? AND session = ?", (program, conversation, session)
        )
        return _conversation(row) if row else None

    def of_agent(self, agent: str) -> list[Conversation]:
        """Return an agent's conversations, oldest first."""
        rows = self._database.all(_SELECT + "WHERE agent = ? ORDER BY begun_at, id", (agent,))
        return [_conversation(row) for row in rows]

    def put(self, conversation: Conversation) -> None:
        """Insert or overwrite one conversation."""
        self._database.run(
            _PUT,
            (
                conversation.program,
                conversation.id,
                conversation.session,
                conversation.agent,
                conversation.place,
                conversation.refusals,
                "\n".join(conversation.denied),  # resources hold no line ends
                conversation.briefings,
                conversation.begun_at,
            ),
        )


def _conversation(row: tuple[Any, ...]) -> Conversation:
    return Conversation(
        program=row[0],
        id=row[1],
        session=row[2],
        agent=row[3],
        place=row[4],
        refusals=row[5],
        denied=tuple(row[6].split("\n")) if row[6] else (),
        briefings=row[7],
        begun_at=row[8],
    )


class SecretRows:
    """See ``coordinator.tables.SecretRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def digest(self, agent: str) -> str:
        """Return the digest of an agent's secret, empty if it has none."""
        row = self._database.one("SELECT digest FROM secrets WHERE agent = ?", (agent,))
        return str(row[0]) if row else ""

    def agent(self, digest: str) -> str:
        """Return the agent whose secret has this digest, empty if there is none."""
        row = self._database.one("SELECT agent FROM secrets WHERE digest = ?", (digest,))
        return str(row[0]) if row else ""

    def put(self, agent: str, digest: str) -> None:
        """Set an agent's digest; empty: it has no secret any more."""
        if digest:
            self._database.run(
                "INSERT INTO secrets VALUES (?, ?) ON CONFLICT (agent) DO UPDATE SET digest = excluded.digest",
                (agent, digest),
            )
        else:
            self._database.run("DELETE FROM secrets WHERE agent = ?", (agent,))


class SightRows:
    """See ``coordinator.tables.SightRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def get(self, agent: str, path: str) -> str:
        """Return the digest of what an agent saw last in a file, empty if it has not read it."""
        row = self._database.one("SELECT digest FROM sights WHERE agent = ? AND path = ?", (agent, path))
        return str(row[0]) if row else ""

    def put(self, agent: str, path: str, digest: str) -> None:
        """Note what an agent saw."""
        self._database.run(
            "INSERT INTO sights (agent, path, digest) VALUES (?, ?, ?) "
            "ON CONFLICT (agent, path) DO UPDATE SET digest = excluded.digest",
            (agent, path, digest),
        )

    def based(self, agent: str, path: str) -> int:
        """Return the token under which an agent's worktree last had everything that landed on a file, 0 if none."""
        row = self._database.one("SELECT token FROM sights WHERE agent = ? AND path = ?", (agent, path))
        return int(row[0]) if row else 0

    def base(self, agent: str, path: str, token: int) -> None:
        """Note that under this token an agent's worktree has everything that landed on a file."""
        self._database.run(
            "INSERT INTO sights (agent, path, token) VALUES (?, ?, ?) "
            "ON CONFLICT (agent, path) DO UPDATE SET token = excluded.token",
            (agent, path, token),
        )

    def forget(self, agent: str, paths: Iterable[str] | None = None) -> None:
        """Forget what an agent saw, of these paths or all."""
        if paths is None:
            self._database.run("DELETE FROM sights WHERE agent = ?", (agent,))
            return
        for path in paths:
            self._database.run("DELETE FROM sights WHERE agent = ? AND path = ?", (agent, path))


class RefusalRows:
    """See ``coordinator.tables.RefusalRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def of_agent(self, agent: str) -> list[str]:
        """Return the resources an agent was refused, sorted."""
        rows = self._database.all("SELECT resource FROM refusals WHERE agent = ? ORDER BY resource", (agent,))
        return [str(resource) for (resource,) in rows]

    def add(self, agent: str, resources: Iterable[str]) -> None:
        """Remember that an agent was refused these."""
        self._database.many(
            "INSERT INTO refusals VALUES (?, ?) ON CONFLICT DO NOTHING",
            [(agent, resource) for resource in resources],
        )

    def forget(self, agent: str, resources: Iterable[str] | None = None) -> None:
        """Forget that it was refused these, or any."""
        if resources is None:
            self._database.run("DELETE FROM refusals WHERE agent = ?", (agent,))
            return
        self._database.many(
            "DELETE FROM refusals WHERE agent = ? AND resource = ?",
            [(agent, resource) for resource in resources],
        )
