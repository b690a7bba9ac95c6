"""What a plan has to be, how long it counts, and what stands in its way (000 §3.4, 002 §4.2).

Three checks: leases of others, earlier plans of others, and files of streams that are not one's own. Whoever planned a
resource first is in nobody's way there; whoever plans it later is contested by the earlier plan. So of two agents that
plan the same thing one can always go on, whatever either says next.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING

from pucs.core.errors import Usage
from pucs.core.modes import Mode, compatible
from pucs.core.resources import ancestors, contains, is_directory, is_symbol
from pucs.intents.records import Contest, Held, Intent, IntentState, Obstacle, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

INTENTS_MAX = 10_000
"""Most open intents of a session: ten times the agents that the store is measured with, one intent each."""
RESOURCES_MAX = 1_000
"""Most resources of one intent: nobody reads a longer plan, and a directory says more."""
DESCRIPTION_CHARACTERS_MAX = 2_000
"""Longest description: it is shown to others, and a page is enough to say what one is going to do."""
ESTIMATE_S_MAX = 24 * 3600.0
"""Longest estimate that counts; a longer one is taken as this, so that no forgotten plan stays for weeks."""
LIFETIMES = 2
"""An intent counts for twice its estimate (DESIGN §2)."""
CONTESTS_MAX = 50
"""Most obstacles of one intent that are named and kept; whoever meets more has to plan anew in any case."""
QUOTED_CHARACTERS_MAX = 200
"""Most characters of another agent's description in one sentence."""


def checked(description: str, estimated_duration_s: float) -> tuple[str, float]:
    """Return description and estimate as they are kept.

    Raises:
        Usage: the description is too long, or the estimate is no length of time.
    """
    if len(description) > DESCRIPTION_CHARACTERS_MAX:
        raise Usage(
            f"A description of {len(description):,} characters is too long.",
            remedy=f"At most {DESCRIPTION_CHARACTERS_MAX:,}: say in a sentence or two what you are going to change.",
        )
    if not isfinite(estimated_duration_s) or estimated_duration_s <= 0:
        raise Usage(
            "An intent needs an estimate longer than nothing.",
            remedy="Give the minutes you expect to work on it.",
        )
    return description.strip(), min(estimated_duration_s, ESTIMATE_S_MAX)


def outermost(resources: Iterable[str]) -> tuple[str, ...]:
    """Return the resources sorted, each once, without those that another of them contains.

    Raises:
        Usage: there are none, or too many.
    """
    named = set(resources)
    if not named:
        raise Usage("No file was named.", remedy="Name at least one file or directory.")
    if len(named) > RESOURCES_MAX:
        raise Usage(
            f"{len(named):,} files in one intent are too many.",
            remedy=f"At most {RESOURCES_MAX:,}; name a directory.",
        )
    return tuple(sorted(name for name in named if not any(outer in named for outer in ancestors(name))))


def kept_places(resources: Sequence[str], old: Intent | None) -> tuple[tuple[str, int], ...]:
    """Return the resources of a new plan, each with the place it has in the order of plans.

    What the agent's old plan contained keeps its place, the rest gets that of the new plan (0 until it has an id).
    """
    before = old.planned if old is not None else ()
    return tuple(
        (resource, max((place for outer, place in before if contains(outer, resource)), default=0))
        for resource in resources
    )


def lapsed(intent: Intent, boot_id: str, now_s: float) -> bool:
    """Tell whether an open intent is over by time: its boot is gone, or twice its estimate has passed."""
    return intent.boot_id != boot_id or intent.expires_s <= now_s


def contested_by(
    planned: Sequence[tuple[str, int]],
    agent: str,
    *,
    held: Iterable[Held] = (),
    plans: Iterable[Intent] = (),
    spare: Collection[str] = (),
    belongs: Mapping[str, str] | None = None,
    builds_on: Collection[str] = (),
) -> tuple[Contest, ...]:
    """Return what stands in the way of a plan: leases first, then plans, then streams; at most ``CONTESTS_MAX``.

    ``held`` and ``plans`` may hold more than matters. A place of 0 is behind all others. ``spare``
    are named resources with room for one more, which nobody is in the way of. ``belongs`` names the other
    stream that each resource reaches into, ``builds_on`` the streams that the agent's own depends on.
    """
    plan = _Plan(pair for pair in planned if pair[0] not in spare)
    found = [*_leases(plan, agent, held), *_plans(plan, agent, plans)]
    for resource, stream in (belongs or {}).items():
        depends = stream in builds_on
        found.append(
            Contest(
                kind=Obstacle.DEPENDENCY if depends else Obstacle.BOUNDARY,
                files=(resource,),
                holder_stream=stream,
                details=f"File belongs to {'dependency ' if depends else ''}stream {stream}",
            )
        )
    return tuple(found[:CONTESTS_MAX])


class _Plan:
    """The resources of a plan, ready to be asked which of them another resource overlaps, without trying each."""

    def __init__(self, planned: Iterable[tuple[str, int]]) -> None:
        self.places = dict(planned)
        self._below: dict[str, list[str]] = {}
        for resource in self.places:
            for outer in ancestors(resource):
                self._below.setdefault(outer, []).append(resource)

    def touching(self, resource: str) -> list[str]:
        """Return the planned resources that overlap this one."""
        upwards = [outer for outer in (*ancestors(resource), resource) if outer in self.places]
        return upwards + self._below.get(resource, [])


def _leases(plan: _Plan, agent: str, held: Iterable[Held]) -> list[Contest]:
    found: dict[Contest, None] = {}
    for lease in held:
        if lease.agent == agent or compatible(lease.mode, Mode.EXCLUSIVE):
            continue
        touched = plan.touching(lease.resource)
        if touched:
            # Of a planned directory the lease says which file it is about, else the plan does.
            wide = any(is_directory(name) and contains(name, lease.resource) for name in touched)
            part = f" (only {lease.resource})" if is_symbol(lease.resource) else ""
            contest = Contest(
                kind=Obstacle.FILE_LOCK,
                files=(lease.resource,) if wide else tuple(sorted(touched)),
                holder=lease.agent,
                holder_stream=lease.stream,
                details=f"Locked until {lease.expires_at} for: {lease.task or 'no stated task'}{part}",
            )
            found[contest] = None
    return list(found)


def _plans(plan: _Plan, agent: str, plans: Iterable[Intent]) -> list[Contest]:
    found = []
    for intent in plans:
        if intent.agent == agent:
            continue
        shared = {
            name
            for other, earlier in intent.planned
            for name in plan.touching(other)
            if plan.places[name] == 0 or earlier < plan.places[name]
        }
        if shared:
            found.append(
                Contest(
                    kind=Obstacle.INTENT_OVERLAP,
                    files=tuple(sorted(shared)),
                    holder=intent.agent,
                    holder_stream=intent.stream,
                    details=f"Agent intends to work on same files: {quoted(intent.description)}",
                )
            )
    return found


def quoted(description: str) -> str:
    """Return another agent's words on one line, no longer than a sentence may be."""
    line = " ".join(description.split())
    return line if len(line) <= QUOTED_CHARACTERS_MAX else f"{line[: QUOTED_CHARACTERS_MAX - 1]}…"


def with_records(
    found: Sequence[Contest],
    known: Sequence[Contest],
    record: Callable[[Contest], int],
    *,
    records_max: int,
) -> tuple[Contest, ...]:
    """Return obstacles with their conflict records: that of the same obstacle met before, else a new one.

    Beyond ``records_max`` records an obstacle is named without one.
    """
    numbers = {contest.key: contest.conflict for contest in known}
    kept = [contest for contest in found if contest.key in numbers]
    room = records_max - sum(1 for contest in kept if numbers[contest.key])
    for contest in found:
        if contest.key not in numbers:
            number = record(contest) if room > 0 else 0
            room -= 1 if number else 0
            numbers[contest.key] = number
    return tuple(replace(contest, conflict=numbers[contest.key]) for contest in found)


def without_plans_of(intent: Intent, agents: Collection[str], plans: Iterable[Intent]) -> tuple[Contest, ...]:
    """Return what stands in the way of an intent after the plans of some agents changed to these, all else as it was."""
    kept = [
        one for one in intent.contests if one.kind is not Obstacle.INTENT_OVERLAP or one.holder not in agents
    ]
    fresh = contested_by(intent.planned, intent.agent, plans=plans)
    return tuple([*kept, *fresh][:CONTESTS_MAX])


def state_of(contests: Sequence[Contest]) -> IntentState:
    """Return the state of an open intent with these obstacles."""
    return IntentState.CONTESTED if contests else IntentState.ACTIVE


def waiting_for(names: Iterable[str], queue: Iterable[tuple[str, Sequence[str]]]) -> tuple[Waiting, ...]:
    """Return who queues for what is planned, given each waiter with its resources."""
    plan = _Plan((name, 0) for name in names)
    found = (
        Waiting(agent=agent, resources=tuple(wanted for wanted in resources if plan.touching(wanted)))
        for agent, resources in queue
    )
    return tuple(waiting for waiting in found if waiting.resources)
