"""Resolving a conflict: by the queue, by dividing the work, by merging, by a decision, by taking back (000 §4.2, 002 §8).

Whatever is chosen, both sides survive: what does not stand is on a salvage ref. A decision is recorded with who made it
and through which door, the agents concerned are told, and a conflict that was decided keeps its first decision.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.conflicts.merging import objections
from pucs.conflicts.records import Conflict, Kind, MergeResult, Resolution, Status, Strategy
from pucs.conflicts.rules import Facts, strategy_for
from pucs.coordinator import requesting, unparking
from pucs.coordinator.conflicts import apply_defaults, settle_in
from pucs.coordinator.context import unit
from pucs.coordinator.negotiating import negotiate
from pucs.coordinator.unparking import BroughtIn, Clash, still_open
from pucs.core.errors import EnvironmentFailure, NotFound, PucsError, Refused, Usage
from pucs.core.resources import file_path, file_resource, is_directory, is_named
from pucs.syntax.definitions import supports
from pucs.tasks.records import Task, TaskState

if TYPE_CHECKING:
    from pucs.conflicts.rules import Plan
    from pucs.coordinator.context import Context, Unit
    from pucs.coordinator.ports import Transaction
    from pucs.coordinator.unparking import ParkedWork

PARTIES_MIN = 2
"""Agents that it takes to divide something."""
_SALVAGE = "refs/pucs/salvage/"
ACCEPTED = ("auto", "review")
"""Which merges are applied: those that are proved, or guesses as well."""
REASON_CHARACTERS_MAX = 2000
"""Longest reason of a decision: it stands in the log and in the alerts of those concerned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One call of ``resolve``, with everything looked up."""

    conflict: Conflict
    plan: Plan
    facts: Facts
    parked: ParkedWork | None
    by: str
    why: str
    """Words of whoever decides, in one line."""
    winner: str
    accept: str
    """``auto`` or ``review``: whether a guess counts as a merge."""
    chosen: bool
    """The strategy was asked for, not planned."""

    @property
    def because(self) -> str:
        """The reason as the end of a sentence."""
        return f": {self.why}" if self.why else ""


def resolve(
    context: Context,
    *,
    conflict: int,
    strategy: Strategy | None = None,
    decision: str = "",
    by: str = "",
    winner: str = "",
    accept: str = "",
) -> Resolution:
    """Resolve an open conflict, by the strategy that fits it unless one is named, and say what happens now.

    ``decision`` is the reason in the words of ``by``; ``winner`` names the side that stands: an agent or stream that is a
    party, or the salvage ref of the parked change. ``accept`` says instead of the configuration which merges are applied:
    ``auto`` those that are proved, ``review`` guesses as well; a guess that is not applied is in the answer.

    Raises:
        NotFound: no such conflict, or what it parked is gone.
        Refused: it was decided before, the strategy is not possible for it, or somebody holds what a merge would change.
        Usage: a decision that names nobody, or no side of this conflict; or there is no such tier to accept.
    """
    if accept not in {"", *ACCEPTED}:
        raise Usage(f"There is no tier {accept!r}.", remedy=f"Accept one of: {', '.join(ACCEPTED)}.")
    apply_defaults(context)
    case = _case(context, conflict, decision=decision, by=by, winner=winner, accept=accept)
    if strategy is not None:
        if strategy not in case.plan.possible:
            raise _impossible(case, strategy)
        case = replace(case, chosen=True, plan=replace(case.plan, strategy=strategy))
    return _carried_out(context, case)


def _carried_out(context: Context, case: _Case) -> Resolution:
    match case.plan.strategy:
        case Strategy.QUEUE:
            return _queue(context, case)
        case Strategy.PARTITION:
            return _partition(context, case)
        case Strategy.MERGE:
            return _merge(context, case)
        case Strategy.ARBITRATE:
            return _arbitrate(context, case)
        case Strategy.ROLLBACK:
            return _roll_back(context, case)


def _case(context: Context, conflict: int, *, decision: str, by: str, winner: str, accept: str) -> _Case:
    why = " ".join(decision.split())
    if len(why) > REASON_CHARACTERS_MAX:
        raise Usage(
            f"A reason of {len(why):,} characters is too long.", remedy=f"At most {REASON_CHARACTERS_MAX:,}."
        )
    with unit(context) as opened:
        found = still_open(opened, conflict)
        accept = accept or opened.tx.sessions.configuration().merge.accept
    parked = unparking.parked_work(context, found) if found.salvage else None
    clash = unparking.try_merge(context, parked, accept=accept) if parked is not None else None
    with context.store.read() as tx:
        facts = _facts(tx, found, mergeable=None if parked is None else clash is None)
    return _Case(
        conflict=found,
        plan=strategy_for(found, facts),
        facts=facts,
        parked=parked,
        by=requesting.decider(by),
        why=why,
        winner=winner.strip(),
        accept=accept,
        chosen=False,
    )


def _facts(tx: Transaction, conflict: Conflict, *, mergeable: bool | None) -> Facts:
    configuration = tx.sessions.configuration()
    agent = next(iter(conflict.parties), "")
    task = _task(tx, conflict)
    return Facts(
        waits=tx.requests.get(conflict.id) is not None,
        divisible=bool(_files(conflict)) and len(_agents(tx, conflict)) >= PARTIES_MIN,
        mergeable=mergeable,
        waived=bool(conflict.resources)
        and all(requesting.waived(tx, conflict.session, agent, path) for path in conflict.resources),
        redoable=task is not None and task.state is not TaskState.RUNNING,
        auto_merge=configuration.auto_merge,
        partition_enabled=configuration.partition_enabled,
    )


def _task(tx: Transaction, conflict: Conflict) -> Task | None:
    name = str(conflict.evidence.get("task") or "")
    return tx.tasks.get(conflict.session, name) if name else None


def _impossible(case: _Case, wanted: Strategy) -> Refused:
    able = ", ".join(strategy.value.lower() for strategy in case.plan.possible)
    what = f"Conflict {case.conflict.id} ({case.conflict.kind})"
    if case.conflict.kind is Kind.BOUNDARY and wanted is Strategy.MERGE:
        return Refused(
            f"{what} needs a waiver, or a decision, before its change may cross the boundary.",
            remedy=f"Approve one (pucs request --list), or decide: pucs resolve {case.conflict.id} --strategy arbitrate",
        )
    return Refused(f"{what} cannot be resolved by {wanted.value}.", remedy=f"Possible are: {able}.")


def _closed(
    context: Context, case: _Case, strategy: Strategy, decision: str, *, by: str = "", winner: str = ""
) -> Resolution:
    """Close the conflict with a decision that changes nothing else."""
    with unit(context) as opened:
        return _close(opened, case, strategy, decision, by=by, winner=winner)


def _close(
    opened: Unit, case: _Case, strategy: Strategy, decision: str, *, by: str = "", winner: str = ""
) -> Resolution:
    still_open(opened, case.conflict.id)
    decided = settle_in(
        opened, case.conflict.id, decision, by=by or case.by, strategy=strategy, winner=winner
    )
    assert decided is not None, "it is open"
    return Resolution(
        conflict=decided.id,
        strategy=strategy,
        status=decided.status,
        message=f"{decision[:1].upper()}{decision[1:]}.",
        decided_by=decided.decided_by,
        winner=winner,
        kept=decided.salvage,
    )


def _open(case: _Case, strategy: Strategy, message: str) -> Resolution:
    return Resolution(
        conflict=case.conflict.id,
        strategy=strategy,
        status=Status.OPEN,
        message=message,
        kept=case.conflict.salvage,
    )


def _queue(context: Context, case: _Case) -> Resolution:
    """Let the second wait for the first: in the queue, or by doing its work again on top of what landed."""
    found = case.conflict
    if found.kind is Kind.BOUNDARY:
        return _ask_owner(context, case)
    if case.parked is not None:
        return _redo(context, case, case.parked)
    if found.kind in {Kind.FILE_LOCK, Kind.RESOURCE}:
        if case.facts.waits:
            with context.store.read() as tx:
                position = _position(tx, found)
            who = next(iter(found.parties), "it")
            said = f"{who} waits in the queue ({position} in line) and is served in its turn; then this closes by itself."
            return _open(case, Strategy.QUEUE, said)
        return _closed(context, case, Strategy.QUEUE, f"nobody waits for it any more{case.because}")
    first = next(iter(found.parties[1:]), "")
    if found.kind is Kind.DEPENDENCY:
        said = f"the change stands; those who build on it are told and take it in with the next sync{case.because}"
    else:
        said = f"{found.parties[0] if found.parties else 'the second'} waits until {first or 'the first'} is done{case.because}"
    return _closed(context, case, Strategy.QUEUE, said, winner=first)


def _position(tx: Transaction, conflict: Conflict) -> int:
    ahead = tx.requests.overlapping(conflict.resources)
    return next((place for place, request in enumerate(ahead, 1) if request.id == conflict.id), 0)


def _redo(context: Context, case: _Case, parked: ParkedWork) -> Resolution:
    """Put the task of a parked change back, to be done again on top; the change itself stays where it is kept."""
    with unit(context) as opened:
        still_open(opened, case.conflict.id)
        task = _task(opened.tx, case.conflict)
        where = f"on top of what landed; the first try is kept on {parked.ref}{case.because}"
        if task is None:
            return _close(opened, case, Strategy.QUEUE, f"{parked.agent} does it again {where}")
        if task.state is TaskState.RUNNING:
            said = f"{task.assignee} is at work on task {task.id} and does it again {where}"
            return _close(opened, case, Strategy.QUEUE, said)
        opened.tx.tasks.put(
            replace(
                task,
                state=TaskState.PENDING,
                assignee="",
                attempts=0,
                tried_by=(),
                ended_at="",
                salvage=parked.ref,
                result=f"to be done again on top of what landed (conflict {case.conflict.id})",
            )
        )
        opened.log(
            "task put back",
            agent=parked.agent,
            stream=task.stream,
            files=case.conflict.resources,
            task=task.id,
            title=task.title,
            salvage=parked.ref,
            conflict=case.conflict.id,
            by=case.by,
        )
        return _close(opened, case, Strategy.QUEUE, f"task {task.id} is done again {where}")


def _ask_owner(context: Context, case: _Case) -> Resolution:
    """Turn a change that reached over a boundary into a task of the stream that covers the files."""
    found = case.conflict
    with unit(context) as opened:
        still_open(opened, found.id)
        agent = next(iter(found.parties), "")
        words = case.why or f"bring in what conflict {found.id} is about"
        if found.salvage:
            words = (
                f"{words}\n\nA first try is kept on {found.salvage}; see: pucs salvage show {found.salvage}"
            )
        made = requesting.request_in(opened, found.resources, agent, words)
        if not made.tasks:
            raise Refused(
                f"No other stream covers {', '.join(found.resources)} any more.",
                remedy=f"Bring it in: pucs resolve {found.id} --strategy arbitrate --winner {agent}",
            )
        asked = ", ".join(f"{task.id} of stream {task.stream}" for task in made.tasks)
        return _close(opened, case, Strategy.QUEUE, f"it is asked of those who cover the files: task {asked}")


def _partition(context: Context, case: _Case) -> Resolution:
    """Propose disjoint scopes to the parties; the conflict closes when they accept."""
    found = case.conflict
    with context.store.read() as tx:
        agents = _agents(tx, found)
    files = _files(found)
    if not files or len(agents) < PARTIES_MIN:
        raise Refused(
            f"Conflict {found.id} is not about a file that two agents at work could divide.",
            remedy="Name file and agents: pucs partition propose FILE --agents A,B",
        )
    results = [negotiate(context, file=file, agents=agents) for file in files]
    made = [result for result in results if result.success]
    if not made:
        if not case.chosen:
            return _otherwise(context, case)
        why = "; ".join(dict.fromkeys(result.reason.rstrip(".") for result in results))
        raise Refused(
            f"Conflict {found.id} cannot be divided: {why}.",
            remedy=f"Let the second wait: pucs resolve {found.id} --strategy queue",
        )
    scopes = {
        agent: tuple(name for result in made for name in result.scopes.get(agent, ()))
        for agent in dict.fromkeys(agent for result in made for agent in result.scopes)
    }
    numbers = ", ".join(str(result.proposal) for result in made)
    said = f"Proposal {numbers} is made, until {made[0].deadline_at}; accept it: pucs partition accept {made[0].proposal}."
    return replace(_open(case, Strategy.PARTITION, said), scopes=scopes)


def _otherwise(context: Context, case: _Case) -> Resolution:
    """Go on with the next step of the flow, because the work cannot be divided after all."""
    facts = replace(case.facts, divisible=False)
    return _carried_out(context, replace(case, facts=facts, plan=strategy_for(case.conflict, facts)))


def _files(conflict: Conflict) -> list[str]:
    """Return the files whose definitions are known among the resources of a conflict."""
    names = [name for name in conflict.resources if not is_named(name) and not is_directory(name)]
    return list(dict.fromkeys(file_resource(name) for name in names if supports(file_path(name))))


def _agents(tx: Transaction, conflict: Conflict) -> list[str]:
    """Return the parties that are agents at work."""
    known = [agent for party in conflict.parties if (agent := tx.agents.get(party)) is not None]
    return [agent.id for agent in known if agent.active and agent.session == conflict.session]


def _merge(context: Context, case: _Case) -> Resolution:
    """Merge a parked change with what its stream has now."""
    parked = case.parked
    assert parked is not None, "only a parked change can be merged"
    said = f"the change of {parked.agent} was merged with what landed since{case.because}"
    outcome = unparking.bring_in(
        context, parked, by=case.by, strategy=Strategy.MERGE, decision=said, accept=case.accept
    )
    if isinstance(outcome, Clash) and outcome.proposal:
        message = (
            f"There is only a guess at how to merge it, and nothing was changed: {'; '.join(outcome.reasons)}. "
            f"To accept it: pucs resolve {case.conflict.id} --strategy merge --accept review."
        )
        return replace(_open(case, Strategy.MERGE, message), proposal=outcome.proposal)
    if isinstance(outcome, Clash):
        raise Refused(
            f"Conflict {case.conflict.id} does not merge: {'; '.join(outcome.reasons)}.",
            remedy=f"Merge it by hand (pucs salvage restore {parked.ref}), do it again on top (--strategy queue), "
            f"or decide (--strategy arbitrate --winner AGENT).",
        )
    return _brought(context, case, Strategy.MERGE, said, outcome)


def _brought(context: Context, case: _Case, strategy: Strategy, said: str, outcome: BroughtIn) -> Resolution:
    """Tell what came of bringing a change in; one that the stream had already is only closed."""
    assert case.parked is not None, "it was brought in"
    if not outcome.paths:
        said = f"stream {case.parked.stream} has the change of {case.parked.agent} already{case.because}"
        return replace(_closed(context, case, strategy, said), commit=outcome.commit)
    return Resolution(
        conflict=case.conflict.id,
        strategy=strategy,
        status=Status.RESOLVED,
        message=f"{said[:1].upper()}{said[1:]}.",
        decided_by=case.by,
        winner=case.parked.agent if strategy is Strategy.ARBITRATE else "",
        kept=outcome.kept or case.parked.ref,
        commit=outcome.commit,
    )


def _arbitrate(context: Context, case: _Case) -> Resolution:
    """Let somebody decide which side stands; nobody's decision within the deadline is the default's."""
    found = case.conflict
    if not case.winner and not case.chosen:
        until = f" until {found.deadline_at}" if found.deadline_at else ""
        default = case.plan.default.decision
        said = f"Somebody has to decide{until}: pucs resolve {found.id} --strategy arbitrate --winner SIDE."
        return _open(case, Strategy.ARBITRATE, f"{said} Without a decision: {default}.")
    sides = _sides(case)
    if case.winner not in sides and (case.winner or case.parked is not None or not case.why):
        raise Usage(
            f"{case.winner!r} is no side of conflict {found.id}."
            if case.winner
            else f"Who stands in conflict {found.id}?",
            remedy=f"Name it with --winner: {', '.join(sides) or 'nobody is known'}.",
        )
    parked = case.parked
    if parked is None:
        who = f"{case.winner} stands" if case.winner else "it was decided by hand"
        return _closed(context, case, Strategy.ARBITRATE, f"{who}{case.because}", winner=case.winner)
    if case.winner not in {parked.agent, parked.ref, parked.ref.removeprefix(_SALVAGE)}:
        said = f"{case.winner} stands; the change of {parked.agent} is kept on {parked.ref}{case.because}"
        return _closed(context, case, Strategy.ARBITRATE, said, winner=case.winner)
    said = f"the change of {parked.agent} stands{case.because}"
    outcome = unparking.bring_in(
        context,
        parked,
        by=case.by,
        strategy=Strategy.ARBITRATE,
        decision=said,
        accept="auto",
        replacing=True,
    )
    assert isinstance(outcome, BroughtIn), "it takes the place of what it clashes with"
    return _brought(context, case, Strategy.ARBITRATE, said, outcome)


def _sides(case: _Case) -> list[str]:
    """Return what may be named as winner: the parties, and the parked change by its ref."""
    refs = [case.parked.ref, case.parked.ref.removeprefix(_SALVAGE)] if case.parked is not None else []
    own = case.parked.stream if case.parked is not None else ""
    # The stream stands for what has landed on it.
    return list(dict.fromkeys([*case.conflict.parties, *([own] if own else []), *refs]))


def _roll_back(context: Context, case: _Case) -> Resolution:
    """Keep a parked change out for good; what has landed cannot be taken back from here."""
    found = case.conflict
    if case.parked is None:
        raise Refused(
            f"What conflict {found.id} is about has landed, and cannot be taken back from here yet.",
            remedy="Undo it in a worktree (git revert COMMIT) and land that, or decide: --strategy arbitrate",
        )
    said = f"the change of {case.parked.agent} stays out; it is kept on {case.parked.ref}{case.because}"
    return _closed(context, case, Strategy.ROLLBACK, said)


def auto_merge(
    context: Context, file: str, base: bytes, a: bytes, b: bytes, *, accept: str = "auto"
) -> MergeResult:
    """Merge two changes of one file by its structure (000 §4.2), applying what ``accept`` says: ``auto`` or ``review``.

    ``file`` is its name, which tells the language. Nothing is written; a file is never merged in part. Two changes of one
    definition that git merges by lines alone are a guess.
    """
    from pucs.merge.merging import LineMerge, merge  # noqa: PLC0415 - most resolutions merge nothing
    from pucs.merge.records import Origin, Tier, Versions  # noqa: PLC0415

    if any(b"\0" in side for side in (base, a, b)):
        return MergeResult(success=False, reason="binary content has no lines to merge")
    versions, lines = Versions(base, a, b), LineMerge(*context.repository.merge_file(base, a, b))
    found = merge(file, versions, lines, accept=Tier(accept))
    if found.clean and found.objections:
        return MergeResult(success=False, conflicts=len(found.objections), reason="; ".join(found.objections))
    if found.clean:
        unsure = objections(file, base, a, b, found.content) if found.origin is Origin.GIT else ()
        if not unsure or accept == Tier.REVIEW:
            tier = Tier.REVIEW if unsure else found.tier
            return MergeResult(
                success=True, content=found.content, tier=tier.value, resolutions=found.resolutions
            )
        return MergeResult(
            success=False,
            conflicts=len(unsure),
            reason="; ".join(unsure),
            tier=Tier.REVIEW.value,
            proposal=found.content,
        )
    left = len(found.conflicts)
    result = MergeResult(
        success=False,
        conflicts=left,
        reason=f"both sides change the same lines in {'1 place' if left == 1 else f'{left} places'}",
    )
    guess = merge(file, versions, lines, accept=Tier.REVIEW)
    if not guess.clean:
        return result
    return replace(result, tier=Tier.REVIEW.value, resolutions=guess.resolutions, proposal=guess.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One conflict with what can be done about it."""

    conflict: Conflict
    plan: Plan
    clash: tuple[str, ...] = ()
    """Why a parked change does not merge now; empty: it does, or there is none."""
    proposal: str = ""
    """A guess at that merge, as a patch of what the stream has; empty: there is none."""


def explained(context: Context, *, conflict: int) -> Explained:
    """Return one conflict with what can be done about it, after its default if that is due; nothing else changes.

    Raises:
        NotFound: no such conflict.
    """
    with suppress(EnvironmentFailure):  # who may only read still sees what there is
        apply_defaults(context)
    with context.store.read() as tx:
        found = tx.conflicts.get(conflict)
    if found is None or (context.session and found.session != context.session):
        raise NotFound(f"There is no conflict {conflict}.", remedy="See: pucs conflicts")
    mergeable: bool | None = None
    clash: Clash | None = None
    if found.status is Status.OPEN and found.salvage:
        with suppress(PucsError):  # what is unknown is shown as unknown
            with context.store.read() as tx:
                accept = tx.sessions.configuration().merge.accept
            clash = unparking.try_merge(context, unparking.parked_work(context, found), accept=accept)
            mergeable = clash is None
    with context.store.read() as tx:
        plan = strategy_for(found, _facts(tx, found, mergeable=mergeable))
    if clash is None:
        return Explained(conflict=found, plan=plan)
    return Explained(conflict=found, plan=plan, clash=clash.reasons, proposal=clash.proposal)
