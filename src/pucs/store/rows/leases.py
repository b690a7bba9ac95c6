"""Leases in and out of their table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pucs.core.modes import Mode
from pucs.core.resources import ancestors
from pucs.locks.records import EndReason, Lease, LeaseState
from pucs.store.rows.database import Database, decoded_process, overlapping_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

_COLUMNS = (
    "token, resource, mode, agent, stream, task, session, state, request, boot_id, granted_s, expires_s, limit_s, "
    "claim_by_s, granted_at, expires_at, noted, landing, owner, ended_s, end_reason, warned"
)
_INSERT = f"INSERT INTO leases ({_COLUMNS}) VALUES ({', '.join('?' * 22)})"  # noqa: S608 - constant text
_SELECT = f"SELECT {_COLUMNS} FROM leases WHERE "  # noqa: S608 - constant text
# The index is named, because without statistics the planner would rather read every live lease.
_LIVE = f"SELECT {_COLUMNS} FROM leases INDEXED BY leases_live WHERE state <> 'ended'"  # noqa: S608 - constant text
_PAST = f"SELECT {_COLUMNS} FROM leases INDEXED BY leases_history WHERE state = 'ended'"  # noqa: S608 - constant text
_LIVE_OF_AGENT = (
    f"SELECT {_COLUMNS} FROM leases INDEXED BY leases_live_of_agent WHERE state <> 'ended' AND agent = ?"  # noqa: S608
)
_UPDATE = (
    "UPDATE leases SET state = ?, expires_s = ?, limit_s = ?, claim_by_s = ?, expires_at = ?, noted = ?, landing = ?, "
    "ended_s = ?, end_reason = ?, warned = ? WHERE token = ?"
)
_END = "UPDATE leases SET state = 'ended', landing = NULL, claim_by_s = NULL, ended_s = ?, end_reason = ? WHERE token = ?"
_MODES = {mode.value: mode for mode in Mode}
_STATES = {state.value: state for state in LeaseState}


class LeaseRows:
    """See ``coordinator.tables.LeaseRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def overlapping(self, resources: Iterable[str]) -> list[Lease]:
        """Return the live leases that overlap any of the resources."""
        return [_lease(row) for row in overlapping_rows(self._database, _LIVE, resources)]

    def granted_after(self, token: int, resource: str) -> list[Lease]:
        """Return leases, live or ended, with a higher token that overlap the resource."""
        rows = [
            row
            for select in (_LIVE, _PAST)
            for row in overlapping_rows(self._database, select + " AND token > ?", (resource,), (token,))
        ]
        return [_lease(row) for row in sorted(rows)]

    def of_agent(self, agent: str) -> list[Lease]:
        """Return the live leases of an agent, by resource."""
        rows = self._database.all(_LIVE_OF_AGENT, (agent,))
        return [_lease(row) for row in sorted(rows, key=lambda row: (row[1], row[0]))]

    def of_request(self, request: int) -> list[Lease]:
        """Return the reserved leases granted to a request."""
        rows = self._database.all(
            _SELECT + "request = ? AND state = 'reserved' ORDER BY resource", (request,)
        )
        return [_lease(row) for row in rows]

    def live(self) -> list[Lease]:
        """Return every live lease, by resource."""
        return [_lease(row) for row in self._database.all(_LIVE + " ORDER BY resource, token")]

    def by_tokens(self, tokens: Iterable[int]) -> list[Lease]:
        """Return the leases with these tokens, live or ended."""
        found = (self._database.one(_SELECT + "token = ?", (token,)) for token in tokens)
        return [_lease(row) for row in found if row is not None]

    def last_of(self, agent: str, resource: str) -> list[Lease]:
        """Return the leases of an agent, live or ended, that contain the resource, newest first."""
        exact = (*ancestors(resource), resource)
        condition = f" AND resource IN ({','.join('?' * len(exact))}) AND agent = ?"
        rows = [
            row
            for select in (_LIVE, _PAST)
            for row in self._database.all(select + condition, (*exact, agent))
        ]
        return [_lease(row) for row in sorted(rows, reverse=True)]

    def ended_on(self, resource: str, count: int) -> list[Lease]:
        """Return the newest ended leases on exactly this resource, newest first."""
        rows = self._database.all(_PAST + " AND resource = ? ORDER BY token DESC LIMIT ?", (resource, count))
        return [_lease(row) for row in rows]

    def add(self, lease: Lease) -> None:
        """Record a granted lease."""
        self._database.run(
            _INSERT,
            (
                lease.token,
                lease.resource,
                lease.mode,
                lease.agent,
                lease.stream,
                lease.task,
                lease.session,
                lease.state,
                lease.request,
                lease.boot_id,
                lease.granted_s,
                lease.expires_s,
                lease.limit_s,
                lease.claim_by_s,
                lease.granted_at,
                lease.expires_at,
                lease.noted,
                lease.landing,
                lease.owner.encode() if lease.owner else None,
                lease.ended_s,
                lease.end_reason,
                int(lease.warned),
            ),
        )

    def replace(self, lease: Lease) -> None:
        """Write back what may change in a lease."""
        self._database.run(
            _UPDATE,
            (
                lease.state,
                lease.expires_s,
                lease.limit_s,
                lease.claim_by_s,
                lease.expires_at,
                lease.noted,
                lease.landing,
                lease.ended_s,
                lease.end_reason,
                int(lease.warned),
                lease.token,
            ),
        )

    def disown(self, tokens: Iterable[int]) -> None:
        """Let leases end by time only, whatever becomes of their owner."""
        self._database.many("UPDATE leases SET owner = NULL WHERE token = ?", [(token,) for token in tokens])

    def end(self, tokens: Iterable[int], ended_s: float, reason: EndReason) -> None:
        """End leases."""
        for token in tokens:
            self._database.run(_END, (ended_s, reason, token))


def _lease(row: tuple[Any, ...]) -> Lease:
    return Lease(
        token=row[0],
        resource=row[1],
        mode=_MODES[row[2]],
        agent=row[3],
        stream=row[4],
        task=row[5],
        session=row[6],
        state=_STATES[row[7]],
        request=row[8],
        boot_id=row[9],
        granted_s=row[10],
        expires_s=row[11],
        limit_s=row[12],
        claim_by_s=row[13],
        granted_at=row[14],
        expires_at=row[15],
        noted=row[16],
        landing=row[17],
        owner=decoded_process(row[18]) if row[18] else None,
        ended_s=row[19],
        end_reason=EndReason(row[20]) if row[20] else None,
        warned=bool(row[21]),
    )
