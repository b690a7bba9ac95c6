"""The ways of the client to the coordinator: in its own process and, in the whole run, to PostgreSQL and through a server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pucs.cli.door import Door
from pucs.cli.init import initialise
from pucs.server.hosting import Hosted, bound
from pucs.server.place import token
from pucs.wiring import open_context

Reach = Callable[[Path], None]
"""Starts a session in a repository, whose store clients find that name none."""
IN_PROCESS = pytest.mark.parametrize("reach", ["in-process"], indirect=True)
"""Marks what says nothing about servers."""
WAYS = [
    "in-process",
    pytest.param("http", marks=pytest.mark.slow),
    pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow]),
]


@pytest.fixture(params=WAYS)
def reach(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reach]:
    """Let clients find the repository's own store; or a server of it, or a database, which the environment names."""
    with ExitStack() as servers:

        def go(root: Path) -> None:
            if request.param == "postgres":
                server, schema = (request.getfixturevalue(name) for name in ("postgres", "schema"))
                monkeypatch.setenv("PUCS_STORE", server.url(schema=schema))
            initialise(Door(repo=str(root), store=own_store(), session="S-1", json=True))
            if request.param == "http":
                monkeypatch.setenv("PUCS_STORE", serving(servers, root).url)

        yield go


def serving(servers: ExitStack, root: Path, port: int = 0) -> Hosted:
    """Start a server of a repository's store that ends with the test."""
    context = open_context(root, door="server")
    servers.callback(context.store.close)
    server = Hosted(context, bound(port), token=token(context))
    servers.callback(server.stop)
    return server


def own_store() -> str:
    """Return the database that the environment names; empty where the store is the repository's own."""
    named = os.environ.get("PUCS_STORE", "")
    return "" if named.startswith("http:") else named


def without_server() -> dict[str, str]:
    """Return the environment of a command that opens the store itself."""
    return {name: value for name, value in os.environ.items() if name != "PUCS_STORE" or own_store()}
