"""What agents' conversations cost: tokens, and money where the program says it.

Programs tell totals of a conversation, which grow, also when it is taken up again in another process. An entry holds such
a total; what an entry adds is what it is above the highest one before it, and goes to the agent and task it was told for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pucs.agents.output import Spent
from pucs.coordinator.context import Context, unit
from pucs.crosslog.records import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pucs.crosslog.records import Entry

ACTION: Final = "tokens spent"
ENTRIES_MAX: Final = 100_000
"""Most entries that are summed: a thousand agents with a hundred turns each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A sum of tokens and money."""

    input_tokens: int = 0
    """Without what came from a cache."""
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    """What is known of the cost."""
    unpriced_tokens: int = 0
    """Tokens of programs that do not say what they cost; more than 0: the cost is higher than known."""

    def plus(self, other: Amount) -> Amount:
        """Return both together."""
        return Amount(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
            unpriced_tokens=self.unpriced_tokens + other.unpriced_tokens,
        )

    @property
    def tokens(self) -> int:
        """All tokens, however they came."""
        return self.input_tokens + self.cached_tokens + self.output_tokens

    def document(self) -> dict[str, Any]:
        """Return it as JSON; a cost that nobody told is null."""
        known = self.cost_usd > 0 or not self.unpriced_tokens
        return {
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": round(self.cost_usd, 6) if known else None,
            "unpriced_tokens": self.unpriced_tokens,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a session has cost so far."""

    all: Amount
    agents: Mapping[str, Amount]
    """By agent, in order of their first report."""
    tasks: Mapping[str, Amount]
    """By task; what was told for none is missing here."""

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            **self.all.document(),
            "agents": {name: amount.document() for name, amount in self.agents.items()},
            "tasks": {name: amount.document() for name, amount in self.tasks.items()},
        }


def spent(context: Context, *, agent: str, task: str, program: str, conversation: str, spent: Spent) -> None:
    """Record what a conversation has cost up to now; one transaction, safe to repeat."""
    with unit(context) as opened:
        known = opened.tx.agents.get(agent)
        opened.log(
            ACTION,
            agent=agent,
            stream=known.stream if known is not None else "",
            task=task,
            program=program,
            conversation=conversation,
            input_tokens=spent.input_tokens,
            cached_tokens=spent.cached_tokens,
            output_tokens=spent.output_tokens,
            cost_usd=spent.cost_usd,
        )


def totals(context: Context, *, session: str = "") -> Totals:
    """Return what a session has cost; empty: the one of the context, else the newest."""
    with context.store.read() as tx:
        newest = tx.sessions.latest()
        asked = session or context.session or (newest.id if newest is not None else "")
        entries = tx.entries.select(Query(session=asked, actions=(ACTION,), limit=ENTRIES_MAX))
    return summed(entries)


def summed(entries: Iterable[Entry]) -> Totals:
    """Return the sum of reports, oldest first."""
    highest: dict[tuple[str, str], Spent] = {}
    agents: dict[str, Amount] = {}
    tasks: dict[str, Amount] = {}
    every = Amount()
    for entry in entries:
        told = _told(entry.details)
        key = (str(entry.details.get("program")), str(entry.details.get("conversation")))
        before = highest.get(key, Spent())
        highest[key], added = _grown(before, told)
        every = every.plus(added)
        agents[entry.agent] = agents.get(entry.agent, Amount()).plus(added)
        if task := str(entry.details.get("task") or ""):
            tasks[task] = tasks.get(task, Amount()).plus(added)
    return Totals(all=every, agents=agents, tasks=tasks)


def _told(details: Mapping[str, Any]) -> Spent:
    cost = details.get("cost_usd")
    return Spent(
        input_tokens=int(details.get("input_tokens") or 0),
        cached_tokens=int(details.get("cached_tokens") or 0),
        output_tokens=int(details.get("output_tokens") or 0),
        cost_usd=float(cost) if cost is not None else None,
    )


def _grown(before: Spent, told: Spent) -> tuple[Spent, Amount]:
    """Return the highest totals of a conversation, and what they have grown by."""
    highest = Spent(
        input_tokens=max(before.input_tokens, told.input_tokens),
        cached_tokens=max(before.cached_tokens, told.cached_tokens),
        output_tokens=max(before.output_tokens, told.output_tokens),
        cost_usd=told.cost_usd if before.cost_usd is None else max(before.cost_usd, told.cost_usd or 0.0),
    )
    added = Amount(
        input_tokens=highest.input_tokens - before.input_tokens,
        cached_tokens=highest.cached_tokens - before.cached_tokens,
        output_tokens=highest.output_tokens - before.output_tokens,
        cost_usd=(highest.cost_usd or 0.0) - (before.cost_usd or 0.0),
    )
    priced = highest.cost_usd is not None
    return highest, added if priced else added.plus(Amount(unpriced_tokens=added.tokens))
