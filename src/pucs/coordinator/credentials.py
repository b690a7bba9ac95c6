"""How an agent proves who it is: a secret that only its digest is kept of (DESIGN §1 Audience).

Among programs of one user this is tamper-evident, not proof: whoever can open the store can act for any agent.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from pucs.coordinator.context import unit
from pucs.core.errors import NotFound
from pucs.crosslog.records import Level

if TYPE_CHECKING:
    from pucs.coordinator.context import Context


def remember(context: Context, *, agent: str, secret: str) -> None:
    """Give an agent its secret, in place of an earlier one; empty takes it away. One transaction.

    Raises:
        NotFound: no such agent.
    """
    with unit(context) as opened:
        known = opened.tx.agents.get(agent)
        if known is None:
            raise NotFound(f"There is no agent {agent!r}.", remedy="See: pucs agents")
        opened.tx.secrets.put(agent, digest(secret) if secret else "")
        action = "secret set" if secret else "secret removed"
        opened.log(action, agent=agent, stream=known.stream, level=Level.DEBUG)


def holds(context: Context, agent: str, secret: str) -> bool:
    """Tell whether this is the agent's secret; never true for an agent that has none."""
    with context.store.read() as tx:
        return matches(tx.secrets.digest(agent), secret)


def agent_of(context: Context, secret: str) -> str:
    """Return the agent whose secret this is, empty if it is nobody's."""
    with context.store.read() as tx:
        return tx.secrets.agent(digest(secret)) if secret else ""


def matches(expected: str, secret: str) -> bool:
    """Tell whether a secret has the expected digest, in a time that says nothing about it."""
    return bool(expected) and hmac.compare_digest(expected, digest(secret))


def digest(secret: str) -> str:
    """Return what is kept of a secret. It has 256 random bits, so that nothing slower than a plain hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
