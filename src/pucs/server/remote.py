"""Verbs over HTTP: ``POST /v1/<verb>`` with its arguments as JSON; the Python client over HTTP speaks this.

Verbs of agents are the methods of the in-process client, called in a thread for the agent that the request names; those of
whoever runs the session need the operator's token.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import json
import secrets
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes

from starlette.responses import Response

from pucs.client import wire
from pucs.client.embedded import PUCSClient, leave
from pucs.client.joining import claim, join
from pucs.coordinator import leases, pausing, posting, requesting, resolving
from pucs.coordinator.agents import checked_name
from pucs.core.errors import EnvironmentFailure, PucsError, Usage
from pucs.core.processes import Process
from pucs.messages.records import AgentMessage, MessageKind
from pucs.server.access import CALLER, GONE, Refusal, refusal_of
from pucs.server.acting import at_work, unknown
from pucs.server.repeats import Answered, Repeats
from pucs.server.workers import Kind

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from pucs.coordinator.context import Context
    from pucs.server.access import Caller
    from pucs.server.workers import Workers

BODY_BYTES_MAX = 1024 * 1024
"""Largest body: a thousand paths, or the longest hand-off, take a tenth of it."""
REQUEST_S_MAX = 30.0
"""Longest time for the body, and for a short verb: the store gives up before."""
METHODS = (
    "accept_handoff",
    "accept_partition",
    "acknowledge",
    "acquire_locks",
    "check_conflicts",
    "check_lock",
    "clear_intent",
    "close_handoff",
    "complete_task",
    "handoff",
    "handoffs",
    "land",
    "log_change",
    "messages",
    "negotiate_partition",
    "refuse_partition",
    "release_locks",
    "renew_locks",
    "report_conflict",
    "request",
    "run_tests",
    "send_message",
    "signal_intent",
    "sync",
)
"""Verbs that are the client's methods as they are."""
ORDERS: Mapping[str, Callable[..., Any]] = {
    "approve": requesting.approve,
    "cleanup": leases.cleanup,
    "pause": pausing.pause,
    "refuse": requesting.refuse,
    "resolve": resolving.resolve,
    "resume": pausing.resume,
    "stop": pausing.terminate,
}
"""Verbs of whoever runs the session that need nothing on the caller's disk."""
SAFE_TWICE = frozenset({
    "acknowledge",
    "acquire_locks",
    "check_conflicts",
    "check_lock",
    "cleanup",
    "close",
    "handoffs",
    "pause",
    "register",
    "renew_locks",
    "request",
    "resume",
    "signal_intent",
    "sync",
})
"""Verbs that do and say the same when they are asked for again after an answer that was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request for a verb."""

    context: Context
    caller: Caller
    agent: str
    """Whom it names."""
    process: Process | None
    """The client's process, if it says so."""
    place: str
    """Checkout of this repository that its paths are relative to; empty: the agent's own."""
    given: dict[str, Any]
    cancelled: Callable[[], bool]


def _register(call: Call, *, stream: str = "", launched: bool = False) -> Any:
    """Let the agent join; one that bears a secret is there already, and minded by whoever launched it."""
    if call.caller.bound:
        known = at_work(call.context, call.agent)
        if known is None:
            raise unknown(call.agent)
        return claim(call.context, known, stream)
    return join(call.context, agent=call.agent, stream=stream, owner=call.process, launched=launched)


def _close(call: Call) -> None:
    leave(call.context, agent=call.agent)


def _post(call: Call, *, kind: str, fields: dict[str, Any]) -> Any:
    """Do what a message of an agent asks for, its fields as the verb wants them."""
    if kind == MessageKind.REGISTER:
        return _fitted(_register, call, fields)
    fields = _fields(kind, fields)
    if kind == AgentMessage.ACQUIRE_LOCK:
        fields["cancelled"] = call.cancelled
    return _client(call).post(kind, **fields)


def _fields(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    if kind not in list(AgentMessage):
        return fields  # the verb says which there are
    read = _read(posting.verb_of(AgentMessage(kind)), fields | {"agent": ""})
    del read["agent"]
    return read


def _client(call: Call) -> PUCSClient:
    return PUCSClient.acting_for(call.context, call.agent, call.place)


def _by_client(name: str) -> Callable[[Call], Any]:
    """Return what calls a method of the client with the arguments of a request."""
    method = getattr(PUCSClient, name)
    signature = inspect.signature(method)

    def run(call: Call) -> Any:
        given = _read(method, call.given) | {"self": _client(call)}
        if "cancelled" in signature.parameters:
            given["cancelled"] = call.cancelled
        bound = inspect.BoundArguments(signature, given)
        return method(*bound.args, **bound.kwargs)

    return run


def _by_order(verb: Callable[..., Any]) -> Callable[[Call], Any]:
    return lambda call: verb(call.context, **_read(verb, call.given))


def _fitted(function: Callable[..., Any], call: Call, given: dict[str, Any]) -> Any:
    return function(call, **_read(function, given))


def _read(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return wire.arguments(function, given)
    except wire.Unfit as error:
        raise Usage(f"The arguments do not fit: {error}.", remedy="See docs/reference/server.md.") from error


VERBS: Mapping[str, Callable[[Call], Any]] = {
    **{name: _by_client(name) for name in METHODS},
    **{name: _by_order(verb) for name, verb in ORDERS.items()},
    "register": lambda call: _fitted(_register, call, call.given),
    "post": lambda call: _fitted(_post, call, call.given),
    "close": lambda call: _fitted(_close, call, call.given),
}
"""Everything that can be asked for; a test holds the names to the table of verbs."""
CANCEL = "cancel"
"""Lets a wait of the same agent end; the one name that stands for no verb, beside ``close``."""


class Remote:
    """The verbs of one repository over HTTP."""

    def __init__(self, context: Context, workers: Workers) -> None:
        """Know what verbs work with."""
        self._context = replace(context, door="http")
        self._workers = workers
        self._repeats = Repeats()
        self._run = secrets.token_hex(8)
        self._boot_id = context.processes.current().boot_id
        self.names = (*VERBS, CANCEL)

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        verb = request.url.path.rpartition("/")[2]
        caller: Caller = request.scope[CALLER]
        try:
            _check_audience(verb, caller)
            async with asyncio.timeout(REQUEST_S_MAX):
                body = await _body(request)
            answered = await self._answered(request, caller, verb, body)
        except TimeoutError:
            failure = Refusal(503, "timeout", f"The body did not come within {REQUEST_S_MAX:.0f} s.")
            answered = _refused(failure)
        except asyncio.CancelledError:
            if not self._workers.closing:
                raise
            answered = _refused(_ending())
        except (Refusal, PucsError) as error:
            answered = _refused(refusal_of(error))
        return Response(
            answered.body,
            answered.status,
            headers={"X-Pucs-Server": self._run},
            media_type="application/json",
        )

    async def _answered(self, request: Request, caller: Caller, verb: str, body: bytes) -> Answered:
        given = _object(body)
        headers = request.headers
        key, again = headers.get("idempotency-key", ""), headers.get("x-pucs-again", "")
        who = f"{'agent' if caller.bound else 'operator'}:{caller.agent}"
        if verb == CANCEL:
            found = self._repeats.cancel(who, str(given.get("key", "")))
            return Answered(200, json.dumps({"result": found}).encode())
        if again not in {"", self._run} and verb not in SAFE_TWICE:
            raise EnvironmentFailure(
                f"The server was started anew while it was asked for {verb}; whether that was done is not known.",
                remedy="Look, and ask again if it was not.",
            )
        process = _process(headers)
        call = Call(
            context=replace(self._context, session=unquote(headers.get("x-pucs-session", ""))),
            caller=caller,
            agent=caller.agent,
            process=process,
            place=unquote_to_bytes(headers.get("x-pucs-place", "")).decode("utf-8", "surrogateescape"),
            given=given,
            cancelled=bool,
        )
        asked = hashlib.sha256(b"\0".join([verb.encode(), body])).digest()
        return await self._repeats.once(
            who, key, asked, lambda event: self._done(verb, call, request.scope[GONE], event, request)
        )

    async def _done(
        self, verb: str, call: Call, gone: threading.Event, event: threading.Event, request: Request
    ) -> Answered:
        """Do the work in a thread of the right kind; whoever leaves a wait leaves the line."""

        def work(cancelled: Callable[[], bool] = bool) -> Answered:
            given_up = replace(call, cancelled=lambda: cancelled() or gone.is_set() or event.is_set())
            answered = self._worked(verb, given_up)
            # Who was cut off in the line and asks again gets in line again.
            return replace(answered, final=answered.final and not (waits and gone.is_set()))

        waits = _waits(verb, call.given)
        try:
            if waits:
                listening = asyncio.ensure_future(request.receive())
                try:
                    return await self._workers.wait(work)
                finally:
                    listening.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await listening
            if verb in wire.LONG_VERBS:
                return await self._workers.run(Kind.LONG, work)
            async with asyncio.timeout(REQUEST_S_MAX):
                return await self._workers.run(Kind.SHORT, work)
        except TimeoutError:
            words = f"Not done within {REQUEST_S_MAX:.0f} s; whether it will be is not known."
            return _refused(Refusal(503, "timeout", words, "Look, and try again."))
        except PucsError as error:
            return _refused(refusal_of(error))
        except RuntimeError:
            if not self._workers.closing:
                raise
            return _refused(_ending())

    def _worked(self, verb: str, call: Call) -> Answered:
        """Do the work; blocking."""
        try:
            result = VERBS[verb](self._prepared(verb, call))
            return Answered(200, json.dumps(wire.answered(result)).encode())
        except (Refusal, PucsError) as error:
            return _refused(refusal_of(error))
        except Exception as error:  # noqa: BLE001 - a door
            traceback.print_exception(error)
            return _refused(refusal_of(error))

    def _prepared(self, verb: str, call: Call) -> Call:
        """Return the call with an agent that may act and a place that is one.

        Raises:
            Refusal: it names no agent.
            NotFound: the bearer of a secret is not at work.
        """
        if verb in ORDERS:
            return call
        if not call.agent:
            raise Refusal(
                400,
                "usage",
                "It is not known for which agent this is.",
                "Name it in the header X-Pucs-Agent.",
            )
        checked_name(call.agent)
        if call.caller.bound and at_work(call.context, call.agent) is None:
            raise unknown(call.agent)
        here = call.process is not None and call.process.boot_id == self._boot_id
        ours = here and self._is_checkout(call.place)
        return replace(call, place=call.place if ours else "")

    def _is_checkout(self, place: str) -> bool:
        try:
            return bool(place) and self._context.worktrees.locate(place, ".").ours
        except Usage:
            return False


def _check_audience(verb: str, caller: Caller) -> None:
    if verb in ORDERS and caller.bound:
        raise Refusal(
            403,
            "operator",
            f"{verb} is for whoever runs the session; agent {caller.agent} is not.",
            "Ask them: send_message to pucs.",
        )


def _waits(verb: str, given: Mapping[str, Any]) -> bool:
    fields = given.get("fields") if verb == "post" else given
    wait_s = fields.get("wait_s", 0) if isinstance(fields, dict) else 0
    return isinstance(wait_s, int | float) and wait_s > 0


def _process(headers: Mapping[str, str]) -> Process | None:
    said = headers.get("x-pucs-process", "")
    try:
        return Process.decode(unquote(said)) if said else None
    except ValueError as error:
        raise Usage("The header X-Pucs-Process names no process.", remedy="Leave it out.") from error


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Usage(f"The body is no JSON: {error}.", remedy="Send the arguments as an object.") from error
    if not isinstance(given, dict):
        raise Usage("The body is no object.", remedy="Send the arguments as an object, by name.")
    return given


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise Refusal(413, "size", f"The body is larger than {BODY_BYTES_MAX} bytes.")
    return bytes(body)


def _refused(refusal: Refusal) -> Answered:
    """Return an error as an answer; where nothing is wrong with the call, it is heard anew when it comes again."""
    return Answered(refusal.status, json.dumps(refusal.document).encode(), final=refusal.status < 500)  # noqa: PLR2004 - the server's own trouble


def _ending() -> Refusal:
    return Refusal(503, "ending", "The server ends.", "Start it again: pucs serve")
