"""Who may speak to the server: programs of this machine that know the token, or the secret of an agent.

A page in a browser can send requests to this machine, too, so the names by which it may be called are few and a foreign
``Origin`` is turned away (DNS rebinding). A secret binds its bearer to the agent: it cannot act as another one.
"""

from __future__ import annotations

import hmac
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from pucs.client.wire import encode
from pucs.coordinator.credentials import agent_of
from pucs.core.errors import EnvironmentFailure, NotFound, PucsError, Usage
from pucs.server.workers import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pucs.coordinator.context import Context
    from pucs.server.workers import Workers

OPEN_PATHS = frozenset({"/v1/health"})
"""What anybody on this machine may ask."""
CALLER = "pucs.caller"
"""Where the ASGI scope has the ``Caller``."""
GONE = "pucs.gone"
"""Where it has the event that is set once the client has closed the connection."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    agent: str
    """Agent whose id it bears or names; empty: the operator, who named none."""
    secret: str = ""
    """The agent's secret; empty: the operator's token was given."""

    @property
    def bound(self) -> bool:
        """Tell whether it can act for this agent only."""
        return bool(self.secret)


class Refusal(Exception):
    """A request is turned away."""

    def __init__(
        self, status: int, code: str, message: str, remedy: str = "", fields: Mapping[str, Any] | None = None
    ) -> None:
        """Keep what is to be answered; ``fields`` are further facts for programs."""
        super().__init__(message)
        self.status = status
        further = {"fields": dict(fields)} if fields else {}
        self.document = {"error": {"code": code, "message": message, "remedy": remedy, **further}}

    def response(self) -> JSONResponse:
        """Return the answer."""
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else None  # noqa: PLR2004 - Unauthorized
        return JSONResponse(self.document, self.status, headers=headers)


def refusal_of(error: Exception) -> Refusal:
    """Return what is answered to an error, with the status that fits it."""
    if isinstance(error, Refusal):
        return error
    if not isinstance(error, PucsError):
        return Refusal(500, "bug", f"A bug of PUCS: {type(error).__name__}.", "Please report it.")
    if isinstance(error, NotFound):
        status = 404
    elif isinstance(error, Usage):
        status = 400
    else:
        status = 503 if isinstance(error, EnvironmentFailure) else 409
    try:
        fields = {name: encode(each) for name, each in error.fields.items()}
    except TypeError:
        fields = {}
    return Refusal(status, error.code, error.message, error.remedy, fields)


class Door:
    """Middleware that lets nobody in who may not; the scope says who came in (``CALLER``) and whether they left (``GONE``)."""

    def __init__(
        self, app: ASGIApp, *, context: Context, workers: Workers, hosts: frozenset[str], token: str
    ) -> None:
        """Stand before an app. ``hosts`` are the names with port it may be called by; an empty ``token`` fits nobody."""
        self._app = app
        self._context = context
        self._workers = workers
        self._hosts = hosts
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request and hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            # Uvicorn is told to offer nothing else; whoever comes by another server may not come in unseen.
            raise RuntimeError(f"{scope['type']} is not spoken here")
        headers = Headers(scope=scope)
        try:
            self._check_names(headers)
            if scope["path"] not in OPEN_PATHS:
                scope[CALLER] = await self._caller(headers)
        except Refusal as refusal:
            await refusal.response()(scope, receive, send)
            return
        gone = scope[GONE] = threading.Event()

        async def listening() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                gone.set()
            return message

        await self._app(scope, listening, send)

    def _check_names(self, headers: Headers) -> None:
        names = headers.getlist("host")
        if len(names) != 1 or names[0].lower() not in self._hosts:
            raise Refusal(
                421, "host", "This server answers to its own names only.", f"Use {min(self._hosts)}."
            )
        for origin in headers.getlist("origin"):
            scheme, _, host = origin.partition("://")
            if scheme != "http" or host.lower() not in self._hosts:
                raise Refusal(403, "origin", "Pages of other origins may not call this server.")

    async def _caller(self, headers: Headers) -> Caller:
        """Return who bears the token or secret of this request.

        Raises:
            Refusal: it has none, or one that nobody knows, or names another agent than its own.
        """
        scheme, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip()
        named = headers.get("x-pucs-agent", "")
        if scheme.lower() != "bearer" or not given:
            raise Refusal(
                401,
                "token",
                "No token.",
                "Send Authorization: Bearer TOKEN (file pucs/token in the git directory).",
            )
        if hmac.compare_digest(given.encode(), self._token.encode()):
            return Caller(named)
        try:
            agent = await self._workers.run(Kind.SHORT, agent_of, self._context, given)
        except PucsError as error:
            raise Refusal(503, error.code, error.message, error.remedy) from error
        if not agent:
            raise Refusal(
                401, "token", "Nobody has this token.", "The secret of an agent ends with its session."
            )
        if named and named != agent:
            raise Refusal(403, "agent", f"This secret is not that of agent {named!r}.", "Act as yourself.")
        return Caller(agent, given)
