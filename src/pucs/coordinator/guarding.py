"""The one decision about what an agent program is about to do, the same for every program (DESIGN §5).

Doors translate a program's own words into a call and a ruling back; nothing is decided there. A call that cannot be
judged is denied before an edit and let pass at every other moment, because only then can anything still be stopped.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from pucs.agents.calls import Moment, Ruling
from pucs.coordinator import briefing, conversations, securing, sights, whereabouts
from pucs.core.errors import PucsError, Usage
from pucs.messages.rules import quoted_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.agents.calls import Call, Edit
    from pucs.agents.records import Agent
    from pucs.agents.shell import GitUse, Touched
    from pucs.coordinator.context import Context
    from pucs.coordinator.whereabouts import Target

REASON_CHARS_MAX = 2000
"""Longest reason of a denial: a model reads it whole, and every word of it costs."""
ANSWER_CHARS_MAX = 9000
"""Longest answer with all that rides on it: beyond 10,000 characters Claude Code puts a file in the place of the text."""
REPEATS_MAX = 3
"""Denials of an edit of one file, without an allowed one between, after which the turn has to end: an agent that goes on
asking burns tokens."""
_AGAIN = "You have tried this {times} times: end your turn now."


def guard(context: Context, call: Call) -> Ruling:
    """Decide a call of an agent program; without an active session everything is allowed in silence.

    What goes wrong on the way is told in words: before an edit it denies, at every other moment it lets pass.
    """
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
    if session is None:
        return Ruling()
    try:
        agent = conversations.identified(context, call)
        ruling = _ruled(context, agent, call)
        conversations.keep_alive(context, agent, context.clock.now())
        # What rides along when nobody reads the answer any more would be lost.
        unread = call.moment is Moment.END or (call.moment is Moment.STOP and ruling.allowed)
        return _with(ruling, "" if unread else briefing.riding(context, agent))
    except PucsError as error:
        if call.moment is Moment.BEFORE:
            return _with(Ruling(allowed=False, reason=str(error)), "")
        return _with(Ruling(context=str(error)), "")


def _ruled(context: Context, agent: Agent, call: Call) -> Ruling:
    match call.moment:
        case Moment.START:
            conversations.forget_denials(context, call)
            return briefing.begin(context, agent, call)
        case Moment.PROMPT:
            conversations.forget_denials(context, call)
            return briefing.prompted(context, agent, call)
        case Moment.BEFORE:
            return _before(context, agent, call)
        case Moment.AFTER:
            from pucs.coordinator import observing  # noqa: PLC0415 - each moment loads its own

            return observing.observed(context, agent, call)
        case Moment.STOP | Moment.END:
            from pucs.coordinator import stopping  # noqa: PLC0415 - each moment loads its own

            if call.moment is Moment.STOP:
                return stopping.stopped(context, agent, call)
            if not agent.launched:
                sights.forget(context, agent.id)
            return stopping.ended(context, agent, call)
        case _:
            assert_never(call.moment)


def _before(context: Context, agent: Agent, call: Call) -> Ruling:
    halted = _halted(agent, call)
    if halted is not None:
        return halted
    if call.reads:
        place = whereabouts.own_place(context, agent)
        seen = whereabouts.files(context, agent, call.cwd, call.reads[: securing.FILES_MAX])
        sights.see(context, agent.id, place, seen)
    edits: Sequence[Edit] = call.edits
    if call.command:
        from pucs.agents.shell import touched  # noqa: PLC0415 - most calls are not of a shell

        found = touched(call.command)
        refused = _git_refused(context, agent, call, found.git)
        if refused:
            return Ruling(allowed=False, reason=refused)
        edits = [*edits, *_without_put_back(agent, found)]
    return _edits(context, agent, call, edits) if edits else Ruling()


def _halted(agent: Agent, call: Call) -> Ruling | None:
    """Stop an agent that was told to stop; one that is paused may still look."""
    who = quoted_words(agent.halted_by, agent.halted_because)
    if agent.terminated:
        return Ruling(
            allowed=False,
            suspend=True,
            reason=f"You were terminated by {who}. Do nothing more; what you have is kept.",
        )
    if not agent.active:
        return Ruling(
            allowed=False,
            suspend=True,
            reason=f"Agent {agent.id} has ended ({agent.phase.value}); it changes nothing any more.",
        )
    if agent.paused and (call.edits or call.command):
        then = (
            "End your turn: you will be told when you are resumed."
            if agent.launched
            else "Change nothing before you are resumed."
        )
        return Ruling(allowed=False, suspend=agent.launched, reason=f"You are paused by {who}. {then}")
    return None


def _edits(context: Context, agent: Agent, call: Call, edits: Sequence[Edit]) -> Ruling:
    """Decide edits of files, all together."""
    sure = [edit for edit in edits if edit.sure]
    if len(sure) > securing.FILES_MAX:
        return Ruling(
            allowed=False,
            reason=f"One call changes {len(sure)} files; at most {securing.FILES_MAX} can be looked at. Do it in smaller steps.",
        )
    targets = whereabouts.targets(context, agent, call.cwd, sure)
    guessed = _guessed(context, agent, call, [edit for edit in edits if not edit.sure][: securing.FILES_MAX])
    if not targets and not guessed:
        return Ruling()
    whereabouts.check_branch(context, agent)
    overwritten = _overwritten(context, agent, targets)
    if overwritten:
        reason = (
            f"{securing.named(overwritten)} changed since you read it. Read it again, then repeat your edit."
        )
        return _denied(context, call, reason, overwritten[0])
    try:
        found = securing.secure(context, agent, [*targets, *guessed])
    except Usage:
        if targets:
            raise
        return Ruling()  # what a command was guessed to change cannot be leased as it was guessed
    if found.denied:
        return _denied(context, call, found.denied, found.path)
    conversations.forget_denials(context, call)
    return Ruling(context="\n".join(found.told))


def _guessed(context: Context, agent: Agent, call: Call, edits: Sequence[Edit]) -> list[Target]:
    """Return what a command seems to change, without what cannot be a file of the repository."""
    found: list[Target] = []
    for edit in edits:
        try:
            found += whereabouts.targets(context, agent, call.cwd, [edit])
        except Usage:
            continue
    return found


def _overwritten(context: Context, agent: Agent, targets: Sequence[Target]) -> list[str]:
    """Return the files that are not as the agent saw them last.

    It is told so once for each version: a program that does not say what it reads could never prove that it has.
    """
    paths = [path for target in targets for path in target.resources]
    place = whereabouts.own_place(context, agent)
    found = sights.changed(context, agent.id, place, paths)
    sights.note(context, agent.id, found)
    return list(found)


def _git_refused(context: Context, agent: Agent, call: Call, uses: Sequence[GitUse]) -> str:
    """Say why a command must not use git as it seems to, empty if it may."""
    if not uses:
        return ""
    from pucs.agents import git_policy  # noqa: PLC0415 - most commands do not use git

    bound = agent.launched or bool(agent.branch)
    protected = frozenset[str]() if bound else _protected(context, agent.session)
    own = whereabouts.own_place(context, agent)
    for use in uses:
        at = context.worktrees.locate(call.cwd, f"{(use.place or '.').rstrip('/')}/.")
        if not at.ours and use.place:
            continue  # another repository
        if bound:
            if at.ours and at.checkout != own and not git_policy.looks(use):
                return f"{at.checkout} is not your checkout; work in {own}."
            refusal = git_policy.refusal(use, own_branch=agent.branch)
            if refusal:
                return refusal
            continue
        victim = git_policy.destroys(use, protected.__contains__)
        if victim:
            return f"{victim} is a branch of PUCS with work of agents on it. Leave it; pucs salvage and pucs status show what is there."
    return ""


def _without_put_back(agent: Agent, found: Touched) -> list[Edit]:
    """Return what a command seems to change, but for what it sets back to the last commit in the agent's own worktree.

    Whoever changed a file that others hold has to be able to undo that.
    """
    if not found.git or not agent.branch:
        return list(found.edits)
    from pucs.agents.git_policy import put_back  # noqa: PLC0415 - most commands do not use git

    back = {name for use in found.git for name in put_back(use)}
    return [edit for edit in found.edits if edit.path not in back]


def _protected(context: Context, session: str) -> frozenset[str]:
    """Return the branches that agents' work is on."""
    with context.store.read() as tx:
        known = tx.sessions.get(session)
        names = {row.branch for row in tx.sessions.streams(session)}
        names |= {agent.branch for agent in tx.agents.all(session)}
    return frozenset(names | {known.branch if known is not None else ""}) - {""}


def _denied(context: Context, call: Call, reason: str, path: str) -> Ruling:
    """Deny an edit; one that is tried again and again ends the turn."""
    times = conversations.count_denial(context, call, path)
    if times < REPEATS_MAX:
        return Ruling(allowed=False, reason=reason)
    return Ruling(allowed=False, suspend=True, reason=f"{reason} {_AGAIN.format(times=times)}")


def _with(ruling: Ruling, told: str) -> Ruling:
    """Return a ruling that also tells something: beside an allowed call, behind the reason of a denied one."""
    if ruling.allowed:
        return replace(ruling, context=f"{ruling.context}\n\n{told}".strip()[:ANSWER_CHARS_MAX])
    reason = ruling.reason[:REASON_CHARS_MAX]
    return replace(ruling, reason=f"{reason}\n\n{told}".strip()[:ANSWER_CHARS_MAX])
