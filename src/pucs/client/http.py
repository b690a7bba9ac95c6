"""The client over HTTP: the methods of ``PUCSClient``, each a call of ``POST /v1/<method>``."""

from __future__ import annotations

import inspect
import json
import os
import secrets
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote

from pucs.client import wire
from pucs.client.connection import Connections, Cut
from pucs.client.embedded import PUCSClient
from pucs.coordinator.agents import checked_name
from pucs.core.errors import EnvironmentFailure, PucsError, Refused, Usage
from pucs.wiring import operator_token, this_process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pucs.agents.records import Agent
    from pucs.client.connection import Told
    from pucs.coordinator.answering import Acquired

F = TypeVar("F", bound="Callable[..., Any]")
SHORT_S_MAX = 60.0
"""Longest time for an answer: the server gives up on short verbs after 30 s, and may have to finish others before."""
LONG_S_MAX = 4 * 3600.0
"""The same where tests may run: beyond every limit of theirs. A machine that is gone is noticed within a minute."""
_UNKNOWN = "did what was asked is not known"
WAIT_S_MAX = 7 * 24 * 3600.0
"""Longest wait that is meant: no lease lives for a week."""


def _remote(method: F) -> F:
    """Return a method with the same signature that lets the server do it."""
    signature = inspect.signature(method)
    name = method.__name__

    @wraps(method)
    def remote(self: HTTPClient, *args: Any, **kwargs: Any) -> Any:
        given = signature.bind(self, *args, **kwargs).arguments
        del given["self"]
        if name != "check_lock":
            self._ensure()
        return self._ask(name, given)

    return cast("F", remote)


class HTTPClient(PUCSClient):
    """One agent's way to the coordinator through a server; ``PUCSClient`` makes it for a store that is a URL.

    Safe to use from several threads. On the server's own machine the process that makes it owns the agent, as in-process,
    and paths are relative to its ``repo``. Elsewhere leases end by time, ``renew_locks`` keeps them, and paths are relative
    to the agent's worktree, else to the top of the repository.
    """

    def __init__(
        self,
        agent_id: str,
        stream: str = "",
        repo: str | Path = ".",
        store: str | None = None,
        session: str = "",
    ) -> None:
        """Name the server and the agent that acts; nothing is connected yet.

        Raises:
            Usage: no URL of a server, or no name of an agent.
        """
        self.agent_id = checked_name(agent_id)
        self.stream = stream
        self._repo = str(repo)
        self._session = session or os.environ.get("PUCS_SESSION", "")
        self._connections = Connections(os.environ.get("PUCS_STORE", "") if store is None else store)
        self._bearer = ""
        self._server = ""
        self._registered = False

    def register(self) -> Agent:
        """Register the agent and claim its stream; done by itself at the first verb."""
        launched = os.environ.get("PUCS_AGENT") == self.agent_id
        agent: Agent = self._ask("register", {"stream": self.stream, "launched": launched})
        self._registered = True
        return agent

    def acquire_locks(
        self,
        files: Sequence[str],
        mode: str = "EXCLUSIVE",
        duration_min: float | None = None,
        wait_s: float = 0.0,
        task: str = "",
        *,
        cancelled: Callable[[], bool] = bool,
    ) -> Acquired:
        """Lease files, directories, ``file.py::Class.method`` or ``res:NAME``, all or none, as in-process."""
        self._ensure()
        given = {
            "files": files,
            "mode": mode,
            "duration_min": duration_min,
            "wait_s": wait_s,
            "task": task,
        }
        answer: Acquired = self._ask("acquire_locks", given, wait_s=wait_s, cancelled=cancelled)
        return answer

    renew_locks = _remote(PUCSClient.renew_locks)
    release_locks = _remote(PUCSClient.release_locks)
    check_lock = _remote(PUCSClient.check_lock)
    land = _remote(PUCSClient.land)
    run_tests = _remote(PUCSClient.run_tests)
    sync = _remote(PUCSClient.sync)
    signal_intent = _remote(PUCSClient.signal_intent)
    clear_intent = _remote(PUCSClient.clear_intent)
    check_conflicts = _remote(PUCSClient.check_conflicts)
    request = _remote(PUCSClient.request)
    negotiate_partition = _remote(PUCSClient.negotiate_partition)
    accept_partition = _remote(PUCSClient.accept_partition)
    refuse_partition = _remote(PUCSClient.refuse_partition)
    log_change = _remote(PUCSClient.log_change)
    complete_task = _remote(PUCSClient.complete_task)
    messages = _remote(PUCSClient.messages)
    acknowledge = _remote(PUCSClient.acknowledge)
    send_message = _remote(PUCSClient.send_message)
    report_conflict = _remote(PUCSClient.report_conflict)
    handoff = _remote(PUCSClient.handoff)
    handoffs = _remote(PUCSClient.handoffs)
    accept_handoff = _remote(PUCSClient.accept_handoff)
    close_handoff = _remote(PUCSClient.close_handoff)

    def post(self, kind: str, **fields: Any) -> Any:
        """Do what an ``AgentMessage`` asks for; ``fields`` are the arguments of its verb."""
        if kind != "register":
            self._ensure()
        wait_s = fields.get("wait_s", 0.0)
        return self._ask("post", {"kind": kind, "fields": fields}, wait_s=wait_s)

    def close(self) -> None:
        """Give up leases without losing work, and the connections; the client can be used again."""
        try:
            if self._registered:
                self._ask("close", {})
        finally:
            self._connections.close()

    def _ask(
        self,
        verb: str,
        given: dict[str, Any],
        *,
        wait_s: Any = 0.0,
        cancelled: Callable[[], bool] | None = None,
    ) -> Any:
        """Call a verb and return what it returned; a cut connection is tried once more, under the same key."""
        try:
            body = json.dumps(wire.encode(given)).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise Usage(f"{verb} cannot be asked for: {error}", remedy="Give what JSON can say.") from error
        key = secrets.token_hex(16)
        headers = self._headers() | {"Idempotency-Key": key}
        waits = isinstance(wait_s, int | float) and wait_s > 0  # what is no number is for the verb to refuse
        patience_s = LONG_S_MAX if verb in wire.LONG_VERBS else SHORT_S_MAX
        if waits:
            patience_s += min(wait_s, WAIT_S_MAX)
        for last in (False, True):
            heard = self._server or "unknown"
            try:
                told = self._connections.post(
                    f"/v1/{verb}",
                    body,
                    headers,
                    patience_s=patience_s,
                    cancelled=cancelled if waits else None,
                    cancel=lambda: self._cancel(key),
                )
            except Cut as cut:
                if last:
                    raise EnvironmentFailure(
                        f"The server at {self._connections.name} hung up twice; whether it did {verb} is not known.",
                        remedy="See what it says: pucs serve",
                    ) from cut
                # Only the same run of the server knows whether it has heard this before.
                headers["X-Pucs-Again"] = heard
                continue
            except EnvironmentFailure as error:
                if not last or _UNKNOWN in error.message:
                    raise
                told_twice = f"{error.message} It was asked for {verb} before; whether it {_UNKNOWN}."
                raise EnvironmentFailure(told_twice, remedy=error.remedy) from error
            self._server = told.server
            return self._read(verb, told)
        raise AssertionError

    def _cancel(self, key: str) -> None:
        """Let a wait end; its own answer tells how."""
        try:
            self._connections.post(
                "/v1/cancel", json.dumps({"key": key}).encode(), self._headers(), patience_s=SHORT_S_MAX
            )
        except Cut:
            return  # then the other connection is cut, too, which is told there

    def _headers(self) -> dict[str, str]:
        found = {
            "Authorization": f"Bearer {self._token()}",
            "Content-Type": "application/json",
            "X-Pucs-Agent": self.agent_id,
            "X-Pucs-Process": quote(this_process().encode()),
            "X-Pucs-Place": quote(os.fsencode(os.path.realpath(self._repo))),
        }
        return found | ({"X-Pucs-Session": quote(self._session)} if self._session else {})

    def _token(self) -> str:
        """Return what proves who calls: the agent's secret, the token in the environment, or the one in its file.

        Raises:
            EnvironmentFailure: there is none.
        """
        if not self._bearer:
            secret = os.environ.get("PUCS_SECRET", "")
            if secret and os.environ.get("PUCS_AGENT", self.agent_id) != self.agent_id:
                secret = ""  # another agent's
            # The file opens this machine's server, so it is shown to no other one.
            self._bearer = (
                secret
                or os.environ.get("PUCS_TOKEN", "").strip()
                or (operator_token(self._repo) if self._connections.local else "")
            )
        if not self._bearer:
            raise EnvironmentFailure(
                f"There is no token for the server at {self._connections.name}.",
                remedy="Set PUCS_TOKEN to what its file pucs/token in the git directory holds.",
            )
        return self._bearer

    def _read(self, verb: str, told: Told) -> Any:
        """Return the result that an answer tells, or raise the error."""
        try:
            document = json.loads(told.body)
            if told.status == 200:  # noqa: PLR2004 - OK
                return wire.returned(getattr(PUCSClient, verb), document)
            error = document["error"]
            raised = error_of(
                told.status, str(error["code"]), str(error["message"]), str(error.get("remedy", ""))
            )
            raised.fields = dict(error.get("fields", {}))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as wrong:
            raise EnvironmentFailure(
                f"What answers at {self._connections.name} speaks another language (status {told.status}); whether {verb} was "
                "done is not known.",
                remedy="See whether a PUCS server of this version listens there.",
            ) from wrong
        raise raised


def error_of(status: int, code: str, message: str, remedy: str) -> PucsError:
    """Return the exception that an error of the server stands for, of the class that would be raised in-process."""
    known = _classes(PucsError).get(code)
    if known is None:
        by_status = {400: Usage, 413: Usage, 401: Refused, 403: Refused, 500: PucsError}
        known = by_status.get(status, EnvironmentFailure)
    return known(message, remedy=remedy)


def _classes(root: type[PucsError]) -> dict[str, type[PucsError]]:
    found = {root.code: root}
    for each in root.__subclasses__():
        found |= _classes(each)
    return found
