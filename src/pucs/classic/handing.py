"""Hand-offs as 001 and 002 write them (001 §3.6, 002 §3.2), on the one record that holds all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pucs.classic.crosslog import as_json
from pucs.coordinator import agents, handoffs, sessions
from pucs.messages.handoffs import from_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pucs.classic.places import Place
    from pucs.messages.handoffs import HandOff


def give(
    place: Place,
    agent: str,
    to: Sequence[str],
    *,
    context: Mapping[str, Any] | None,
    transfer: bool,
    **lists: Sequence[str],
) -> HandOff:
    """Hand an agent's work over with whatever context there is; one that nobody has registered yet becomes known.

    With ``transfer`` the leases and the worktree go to the first who accepts. What is missing is not asked for, as in the
    designs; the verb behind `pucs handoff give` does ask.

    Raises:
        Usage: an agent cannot be named so, or there is too much of something.
        Refused: the giver or a receiver has ended, or no session is active.
    """
    session = sessions.current(place.context).id
    for name in to:
        with place.context.store.read() as tx:
            known = tx.agents.get(name)
        if known is None or known.session != session:
            agents.register(place.context, agent=name, program="client")
    values = {**as_json(context), **{name: list(value) for name, value in lists.items()}}
    return handoffs.hand_off(
        place.context,
        agent=agent,
        to=tuple(to),
        contents=from_plain(values),
        transfer=transfer,
        incomplete=True,
    )
