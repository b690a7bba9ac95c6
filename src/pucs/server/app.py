"""The routes: hooks, status, verbs, MCP, each behind the same door."""

from __future__ import annotations

import asyncio
import traceback
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pucs.core.errors import PucsError
from pucs.server.access import CALLER, Door, Refusal, refusal_of
from pucs.server.protocol import BODY_BYTES_MAX, over_http
from pucs.server.remote import Remote
from pucs.server.workers import Kind, Workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from pucs.coordinator.context import Context
    from pucs.server.access import Caller

HUNG_UP = 499
"""Status of a call whose caller has gone; nobody reads it."""
REQUEST_S_MAX = 30.0
"""Longest time of one request to ``/v1``, its body included: the store gives up before, and agents wait meanwhile."""


def make_app(context: Context, workers: Workers, *, hosts: frozenset[str], token: str = "") -> ASGIApp:
    """Return the app over one repository.

    ``hosts`` are the names with port by which it may be called; ``token`` is the operator's, empty: only agents come in.
    """
    mcp, mcp_routes = over_http(replace(context, door="mcp"), workers)
    hooks = replace(context, door="hook")
    remote = Remote(context, workers)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        async with mcp.session_manager.run():
            yield
        workers.close()

    async def hook(request: Request) -> Response:
        from pucs.hooks.front import answer  # noqa: PLC0415 - a server for MCP alone needs none

        caller: Caller = request.scope[CALLER]
        answered = await workers.run(
            Kind.SHORT,
            answer,
            hooks,
            request.path_params["program"],
            await _body(request),
            agent=caller.agent,
            secret=caller.secret,
        )
        # Kept open, each call would wait 40 ms: its client sends head and body apart, and the kernel confirms late.
        return Response(answered, media_type="application/json", headers={"Connection": "close"})

    async def status(request: Request) -> Response:
        from pucs.coordinator.status import status as glance  # noqa: PLC0415 - hooks do without

        del request
        return JSONResponse(await workers.run(Kind.SHORT, glance, context))

    async def health(request: Request) -> Response:
        del request
        return JSONResponse({"server": "pucs"})

    routes = [
        Route("/v1/health", _answering(health)),
        Route("/v1/status", _answering(status)),
        Route("/v1/hook/{program}", _answering(hook), methods=["POST"]),
        *(
            Route(f"/v1/{name}", _answering(remote, minds_time=True), methods=["POST"])
            for name in remote.names
        ),
        *mcp_routes,
    ]
    return Door(
        Starlette(routes=routes, lifespan=life), context=context, workers=workers, hosts=hosts, token=token
    )


async def _body(request: Request) -> bytes:
    """Return the whole body.

    Raises:
        Refusal: it is too large.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise Refusal(413, "size", f"The body is larger than {BODY_BYTES_MAX} bytes.")
    return bytes(body)


def _answering(
    endpoint: Callable[[Request], Awaitable[Response]], *, minds_time: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    """Give an endpoint a time limit, unless it minds its own, and its errors a status and words."""

    async def answering(request: Request) -> Response:
        try:
            async with asyncio.timeout(None if minds_time else REQUEST_S_MAX):
                return await endpoint(request)
        except ClientDisconnect:
            return Response(status_code=HUNG_UP)  # in the middle of its question
        except Refusal as refusal:
            return refusal.response()
        except PucsError as error:
            return refusal_of(error).response()
        except TimeoutError:
            return Refusal(503, "timeout", f"Not done within {REQUEST_S_MAX:.0f} s.", "Try again.").response()
        except Exception as error:  # noqa: BLE001 - a door
            traceback.print_exception(error)
            return refusal_of(error).response()

    return answering
