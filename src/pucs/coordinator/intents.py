"""Intents: declare what one is going to change, and learn at once who is in the way (000 §3.4, 002 §4.2).

Declaring is one transaction: whoever declares second sees the first, whatever they do at the same moment. A plan that
conflicts is recorded as contested and returned with its conflicts; it holds nothing and keeps nobody out.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.agents.records import Phase
from pucs.coordinator.agents import acting, checked_name, step, stream_named
from pucs.coordinator.contesting import (
    Surroundings,
    clear_in,
    end,
    end_over,
    look_again,
    over,
    reconsider,
    settled,
    surroundings,
)
from pucs.coordinator.context import unit
from pucs.core.errors import PucsError, Refused
from pucs.core.resources import is_directory, is_symbol, overlaps, symbol_name
from pucs.crosslog.records import Level
from pucs.intents import rules
from pucs.intents.partition import free_symbols
from pucs.intents.records import Contest, Intent, IntentState, Obstacle, Waiting
from pucs.intents.suggestions import suggestions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context, Unit
    from pucs.coordinator.ports import Transaction
    from pucs.core.instants import Instant

FREE_FILES_MAX = 3
"""Files whose free functions are named in one answer: each is read and parsed."""
ESTIMATE_S = 30 * 60.0
"""Estimate of who gives none (002 §4.3 ``--duration``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signalled:
    """The answer to a declared plan (000 §3.4 ``IntentResult``)."""

    success: bool
    """Nothing stands in its way."""
    files: tuple[str, ...]
    """The plan's canonical resources, ready to be leased."""
    conflicts: tuple[Contest, ...] = ()
    """What stands in its way."""
    suggestions: tuple[str, ...] = ()
    """What to do about it, in sentences."""
    waiting: tuple[Waiting, ...] = ()
    """Others who queue for the same; no obstacle by itself."""
    intent: int = 0
    """Id of the recorded intent; 0: only looked."""
    state: str = ""
    """``active`` or ``contested``."""
    expires_at: str = ""
    """Wall time at which it does not count any more."""


def signal(
    context: Context,
    *,
    agent: str,
    files: Sequence[str],
    description: str,
    estimated_duration_s: float = ESTIMATE_S,
    stream: str = "",
    task: str = "",
) -> Signalled:
    """Declare what an agent is going to change (canonical resources) and check it, in one transaction.

    The agent's older intent is replaced; what both name keeps its place before later plans. Saying the same again
    changes nothing but the time it counts for. Counts until it is cleared, its task is done, its agent has ended, or
    twice the estimate has passed.

    Raises:
        Usage: no files, too many, a description that is too long, or an estimate that is no length of time.
        NotFound: an unknown stream.
        Refused: no session, the agent has ended, or there are too many intents.
    """
    checked_name(agent)
    names = rules.outermost(files)
    words, estimate_s = rules.checked(description, estimated_duration_s)
    with unit(context) as opened:
        who = acting(opened, agent, stream=stream)
        own = opened.tx.intents.of_agent(agent)
        end_over(context, opened, [*opened.tx.intents.overlapping(names, bare=True), *([own] if own else [])])
        old = opened.tx.intents.of_agent(agent)
        if old is None and opened.tx.intents.count(who.session) >= rules.INTENTS_MAX:
            raise Refused(
                f"There are {rules.INTENTS_MAX:,} open intents in this session.",
                remedy="Clear those that are done: pucs intent --list",
            )
        wanted = _wanted(opened, who, old, names, words, estimate_s, task or who.task)
        found = _around(context, opened.tx, opened.now, wanted)
        intent = _recorded(context, opened, wanted, old, found.contests)
        step(opened, opened.tx.agents.get(agent) or who, Phase.SIGNAL_INTENT)
    return _answer(context, intent, found, who.worktree)


def _wanted(  # noqa: PLR0917 - the parts of one record
    opened: Unit,
    who: Agent,
    old: Intent | None,
    names: tuple[str, ...],
    words: str,
    estimate_s: float,
    task: str,
) -> Intent:
    now, length_s = opened.now, rules.LIFETIMES * estimate_s
    return Intent(
        session=who.session,
        agent=who.id,
        stream=who.stream,
        task=task,
        planned=rules.kept_places(names, old),
        description=words,
        estimated_duration_s=estimate_s,
        boot_id=now.boot_id,
        declared_s=now.boot_s,
        expires_s=now.boot_s + length_s,
        declared_at=now.wall(),
        expires_at=now.wall(length_s),
    )


def _around(context: Context, tx: Transaction, now: Instant, intent: Intent) -> Surroundings:
    return surroundings(
        context, tx, now, intent.session, agent=intent.agent, stream=intent.stream, planned=intent.planned
    )


def _recorded(
    context: Context, opened: Unit, wanted: Intent, old: Intent | None, contests: Sequence[Contest]
) -> Intent:
    """Record a plan in the place of the agent's old one, and look again at whom the old one contested."""
    if old is not None and old.resources == wanted.resources and old.stream == wanted.stream:
        same = replace(wanted, id=old.id, contests=old.contests, declared_at=old.declared_at)
        intent = settled(opened, same, contests)
        opened.tx.intents.put(intent)
        _log(opened, intent, "intent renewed", Level.DEBUG)
        return intent
    if old is not None:
        end(opened, old, "replaced by a new plan", carried=True)
    added = opened.tx.intents.add(wanted)
    before = old.contests if old is not None else ()
    intent = settled(opened, replace(added, contests=before), contests)
    opened.tx.intents.put(intent)
    _log(opened, intent, "intent signaled", Level.CONFLICT if intent.contests else Level.INFO)
    if old is not None:
        reconsider(context, opened, {old.agent: old.resources})
    return intent


def _log(opened: Unit, intent: Intent, action: str, level: Level) -> None:
    opened.log(
        action,
        agent=intent.agent,
        stream=intent.stream,
        level=level,
        files=intent.resources,
        intent=intent.id,
        state=intent.state.value,
        description=rules.quoted(intent.description),
        until=intent.expires_at,
        conflicts=sorted({contest.conflict for contest in intent.contests if contest.conflict}),
    )


def _answer(context: Context, intent: Intent, found: Surroundings, worktree: str) -> Signalled:
    names, contests = intent.resources, intent.contests
    return Signalled(
        success=not contests,
        files=names,
        conflicts=contests,
        suggestions=_suggested(context, names, contests, found, worktree),
        waiting=found.waiting,
        intent=intent.id,
        state=intent.state.value,
        expires_at=intent.expires_at,
    )


def _suggested(
    context: Context,
    names: Sequence[str],
    contests: Sequence[Contest],
    found: Surroundings,
    worktree: str,
) -> tuple[str, ...]:
    """Return what to do instead; where others hold only parts of a file, what of it is free is looked up on disk."""
    free: dict[str, tuple[str, ...]] = {}
    for file, taken in _held_in_part(names, contests, found)[:FREE_FILES_MAX]:
        from pucs.syntax.definitions import Unparsable, definitions  # noqa: PLC0415 - only where symbols are held

        with suppress(Unparsable, PucsError):
            content = context.worktrees.read(worktree or context.repository.root, file)
            known = definitions(content).names() if content is not None else frozenset()
            free[file] = free_symbols(known, taken)
    return suggestions(names, contests, held=found.held, waiting=found.waiting, free_symbols=free)


def _held_in_part(
    names: Sequence[str], contests: Sequence[Contest], found: Surroundings
) -> list[tuple[str, tuple[str, ...]]]:
    """Return the planned files of which others hold symbols and nobody more, each with those symbols."""
    planned_too = {
        file for contest in contests if contest.kind is Obstacle.INTENT_OVERLAP for file in contest.files
    }
    parts = []
    for name in names:
        around = [lease.resource for lease in found.held if overlaps(name, lease.resource)]
        if (
            around
            and name not in planned_too
            and not (is_directory(name) or is_symbol(name))
            and all(map(is_symbol, around))
        ):
            parts.append((name, tuple(symbol_name(resource) for resource in around)))
    return parts


def clear(context: Context, *, agent: str) -> Intent | None:
    """Clear an agent's intent and return it as it ended, None if there was none; whom it contested may go on.

    One transaction, safe to repeat.
    """
    with unit(context) as opened:
        return clear_in(context, opened, agent, "cleared by its agent")


def check(context: Context, *, files: Sequence[str], agent: str = "", stream: str = "") -> Signalled:
    """Return what would stand in the way of a plan, without recording anything (000 ``check_conflicts``).

    Without ``agent`` everybody's leases and plans are others'; without ``stream`` the agent's own counts, if it has one.

    Raises:
        Usage: no files, or too many.
        NotFound: an unknown stream.
        Refused: no session.
    """
    names = rules.outermost(files)
    now = context.clock.now()
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        if session is None:
            raise Refused("There is no active session.", remedy="Start one with: pucs init")
        known = tx.agents.get(agent) if agent else None
        own = stream_named(tx, session.id, stream).stream.name if stream else (known.stream if known else "")
        found = surroundings(
            context,
            tx,
            now,
            session.id,
            agent=agent,
            stream=own,
            planned=rules.kept_places(names, tx.intents.of_agent(agent) if agent else None),
        )
    return Signalled(
        success=not found.contests,
        files=names,
        conflicts=found.contests,
        suggestions=_suggested(context, names, found.contests, found, known.worktree if known else ""),
        waiting=found.waiting,
    )


def intents(context: Context) -> list[Intent]:
    """Return the open intents of the session by id, as they stand now.

    What has changed since somebody looked last is brought up to date first: plans that are over, ways that are free,
    leases that were taken on what others plan. If nothing has, this only reads.
    """
    now = context.clock.now()
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        found = tx.intents.open(session.id) if session else []
        stale = [intent.id for intent in found if not _current(context, tx, now, intent)]
    if not stale:
        return found
    with unit(context) as opened:
        end_over(context, opened, _still_open(opened, stale))
        for intent in _still_open(opened, stale):
            look_again(context, opened, intent)
        return opened.tx.intents.open(opened.active().id)


def _still_open(opened: Unit, numbers: Iterable[int]) -> list[Intent]:
    found = [opened.tx.intents.get(number) for number in numbers]
    return [intent for intent in found if intent is not None and intent.open]


def _current(context: Context, tx: Transaction, now: Instant, intent: Intent) -> bool:
    """Tell whether an open intent is still as it was last looked at."""
    if over(context, tx, now, intent):
        return False
    around = _around(context, tx, now, intent)
    return [contest.key for contest in around.contests] == [contest.key for contest in intent.contests]


def planned_by(tx: Transaction, names: Iterable[str], agent: str = "") -> list[Intent]:
    """Return the active intents of other agents on these resources, earliest first; what is over may be among them."""
    return [
        intent
        for intent in tx.intents.overlapping(names)
        if intent.state is IntentState.ACTIVE and intent.agent != agent
    ]
