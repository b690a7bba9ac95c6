"""Addresses of stores on PostgreSQL: what may be shown of them, and what only the client library gets to see."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pucs.core.errors import EnvironmentFailure, Usage

SCHEMA = "pucs"
"""Schema of a store whose address names none."""
SCHEMA_BYTES_MAX = 48
"""Longest name of a schema: the channel of its bells carries it, too, and names end at 63 bytes."""
CONNECT_S_MAX = 10
"""Longest time to reach the server, unless the address says ``connect_timeout``."""
_SECRET = frozenset({"password", "sslpassword"})


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is."""

    shown: str
    """The URL without its password: printed, logged, kept in files and given to agents."""
    schema: str
    """Schema that holds the tables."""
    parameters: dict[str, Any] = field(repr=False)
    """What the client library connects with."""
    listening: dict[str, Any] = field(repr=False)
    """The same for the connection that listens for bells, which may not go through a pooler in transaction mode."""
    secrets: dict[str, str] = field(repr=False)
    """Variables that programs we start need to connect to ``shown``; empty where they find the password themselves."""


def parse(url: str) -> Address:
    """Take a URL apart; everything but ``schema`` and ``listen`` in its query is the client library's own.

    Raises:
        Usage: it is none; the message does not repeat the password.
        EnvironmentFailure: the client library is not installed.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Usage("The store's URL is malformed.", remedy=_EXAMPLE) from error
    schema, listen, query, hidden = SCHEMA, "", [], []
    for pair in filter(None, parts.query.split("&")):
        name, _, value = pair.partition("=")
        if name == "schema":
            schema = unquote(value)
        elif name == "listen":
            listen = unquote(value)
        elif name in _SECRET:
            hidden.append(pair)
        else:
            query.append(pair)
    user, at, host = parts.netloc.rpartition("@")
    user = user.partition(":")[0]
    if not schema or len(schema.encode()) > SCHEMA_BYTES_MAX or "\0" in schema:
        raise Usage(f"{schema!r} cannot be the schema of a store.", remedy="Use a short name: ?schema=pucs")
    own = {"schema": schema if schema != SCHEMA else "", "listen": listen}
    shown_query = "&".join([
        *query,
        *(f"{name}={quote(value, safe=':')}" for name, value in own.items() if value),
    ])
    shown = urlunsplit(("postgresql", f"{user}{at}{host}", parts.path, shown_query, ""))
    parameters = _parameters(
        urlunsplit(("postgresql", parts.netloc, parts.path, "&".join([*query, *hidden]), "")), shown
    )
    # The client library keeps an empty authority apart from none, and so does whoever reads the address again.
    shown = shown if shown.startswith("postgresql://") else shown.replace("postgresql:", "postgresql://", 1)
    secrets = {"PGPASSWORD": str(parameters["password"])} if parameters.get("password") else {}
    parameters = _defaults() | parameters
    return Address(shown, schema, parameters, parameters | _place(listen), secrets)


_EXAMPLE = "Write it like postgresql://user@host:5432/database?schema=pucs"


def _place(listen: str) -> dict[str, Any]:
    """Return where to listen, for the client library."""
    if not listen:
        return {}
    try:
        parts = urlsplit(f"//{listen}")
        host, port = parts.hostname, parts.port or 5432
    except ValueError:
        host, port = None, 0
    if not host or set(listen) & set("@/?#"):
        raise Usage(f"listen={listen} names no server.", remedy="Write it like listen=db.example.org:5432")
    return {"host": host, "hostaddr": None, "port": port}


def _parameters(url: str, shown: str) -> dict[str, Any]:
    try:
        from psycopg import Error  # noqa: PLC0415 - an extra, and slow to load
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415
    except ImportError as error:
        raise EnvironmentFailure(
            f"The store {shown} needs PostgreSQL's client library.",
            remedy="Install it with: pip install 'pucs[postgres]'",
        ) from error
    if not url.startswith("postgresql://"):
        url = url.replace("postgresql:", "postgresql://", 1)
    try:
        return dict(conninfo_to_dict(url))
    except Error as error:
        # What the library says may repeat the whole URL, so it is neither shown nor kept as a cause.
        del error
        raise Usage(f"The store's URL {shown} is malformed.", remedy=_EXAMPLE) from None


def _defaults() -> dict[str, Any]:
    """Return what makes a dead connection known within half a minute, and names us to the server's administrator."""
    return {
        "connect_timeout": os.environ.get("PGCONNECT_TIMEOUT") or CONNECT_S_MAX,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "client_encoding": "UTF8",
    }
