"""Both ways of the client to the coordinator: in its own process, and, in the whole run, through a real server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pucs.server.hosting import Hosted, bound
from pucs.server.place import token
from pucs.wiring import open_context

Reach = Callable[[Path], None]
"""Says where the client finds the store of a repository that has one now."""
IN_PROCESS = pytest.mark.parametrize("reach", ["in-process"], indirect=True)
"""Marks what says nothing about servers."""


@pytest.fixture(params=["in-process", pytest.param("http", marks=pytest.mark.slow)])
def reach(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reach]:
    """Let clients that name no store find the repository's own, or a server of it that the environment names."""
    with ExitStack() as servers:

        def go(root: Path) -> None:
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


def without_store() -> dict[str, str]:
    """Return the environment of a command that opens the store itself."""
    return {name: value for name, value in os.environ.items() if name != "PUCS_STORE"}
