"""Finalizing: streams merge to the session branch, phase by phase.

Merging needs no checkout (``git merge-tree``), tests run in a throwaway worktree, and the session branch moves by an
intention only after they passed. What does not merge stays intact on its own branch and becomes a conflict record, once
for each state of the branches; so a run can be repeated, and a run after a kill goes on where that one was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pucs.conflicts.records import Kind, Severity, Status, Strategy
from pucs.coordinator import intentions
from pucs.coordinator.checks import record_merged
from pucs.coordinator.conflicts import decide_in, record
from pucs.coordinator.context import Context, unit
from pucs.coordinator.finalized import FinalizeResult, Unmerged
from pucs.coordinator.history import History, gate, history
from pucs.coordinator.joining import Joined, join
from pucs.coordinator.symbols import MIXED, mixed, parted_files
from pucs.coordinator.taking import COORDINATOR, MERGING, take
from pucs.core.errors import NotFound, Refused
from pucs.crosslog.records import Level
from pucs.streams import protocol
from pucs.streams.phases import merge_phases
from pucs.streams.records import Session, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Progress = Callable[[str], None]


@dataclass(slots=True)
class _Run:
    """The state of one call."""

    found: History
    tip: str
    """Session branch, as merged so far."""
    say: Progress
    dry: bool
    accept: str
    """``auto`` or ``review`` instead of what the configuration says, else empty."""
    merged: list[str] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    unmerged: dict[str, Unmerged] = field(default_factory=dict)
    tests_passed: bool | None = None
    settled: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Files that the merge room merged in this phase, by stream (``joining.Settled``)."""

    @property
    def ref(self) -> str:
        return f"refs/heads/{self.found.session.branch}"


def finalize(
    context: Context,
    *,
    streams: Sequence[str] | None = None,
    target: str | None = None,
    dry_run: bool = False,
    accept: str = "",
    on_progress: Progress | None = None,
) -> FinalizeResult:
    """Merge streams to the session branch in phases, test each phase, and take the complete result to the target.

    Each phase is taken whole: intention, compare-and-swap, closing transaction. Safe to repeat. The target moves only if
    it is named, everything asked for is merged, and no checkout has it out. ``accept`` says instead of the configuration
    which merges are applied where git has none: ``auto`` those that are proved, ``review`` guesses as well.

    Raises:
        NotFound: a stream or the target does not exist.
        Refused: no such session, or another call moved the session branch meanwhile.
    """
    session = _session(context)
    context = replace(context, session=session.id)
    found = history(context, session)
    chosen = _chosen(found, streams)
    tip = context.repository.resolve(f"refs/heads/{session.branch}") or session.base
    run = _Run(found=found, tip=tip, say=on_progress or _silent, dry=dry_run, accept=accept)
    phases = merge_phases(
        [row.stream for row in found.rows.values()], sorted(found.synced), found.configuration.merge.phases
    )
    for number, phase in enumerate(phases, 1):
        _phase(context, run, number, phase, chosen)
    result = FinalizeResult(
        session=session.id,
        branch=session.branch,
        commit=run.tip,
        phases=tuple(tuple(phase) for phase in phases),
        merged=tuple(run.merged),
        already=tuple(run.already),
        held=tuple(run.unmerged[name] for name in chosen if name in run.unmerged),
        tests_passed=run.tests_passed,
        dry_run=dry_run,
    )
    return take(context, result, target or "", session.target, accept=accept)


def _session(context: Context) -> Session:
    """Return the session to finalize: the named or active one, else the latest, whose result may still be taken."""
    with context.store.read() as tx:
        if context.session:
            session = tx.sessions.get(context.session)
        else:
            session = tx.sessions.active() or tx.sessions.latest()
    if session is None:
        raise Refused("There is no session.", remedy="Start one with: pucs init")
    return session


def _chosen(found: History, streams: Sequence[str] | None) -> list[str]:
    if streams is None:
        return list(found.rows)
    spelled = {name.casefold(): name for name in found.rows}
    for name in streams:
        if name.casefold() not in spelled:
            raise NotFound(f"There is no stream {name!r}.", remedy=f"Streams: {', '.join(found.rows)}.")
    return [name for name in found.rows if name.casefold() in {each.casefold() for each in streams}]


def _phase(
    context: Context, run: _Run, number: int, phase: Sequence[tuple[str, ...]], chosen: Sequence[str]
) -> None:
    """Merge the groups of one phase, test the result and take it."""
    before, new = run.tip, list[str]()
    run.settled.clear()
    for group in phase:
        new += _group(context, run, group, chosen)
    if not new:
        return
    if run.tip != before and not run.dry:
        failure = _tested(context, run)
        if failure is not None:
            run.tip = before
            conflict = _record(context, run, new, "tests", (), output=failure)
            said = f"The tests fail on the merged result of phase {number}."
            _stay_out(run, new, "tests", said, conflict=conflict)
            return
    if not run.dry:
        _take_phase(context, run, before, number, new)
    run.merged += new
    run.say(f"phase {number}: merged {', '.join(new)}")


def _group(context: Context, run: _Run, group: Sequence[str], chosen: Sequence[str]) -> list[str]:
    """Merge one group onto the tip, whole or not at all; return the streams that came in."""
    repository = context.repository
    left = [name for name in group if not repository.contains(run.tip, run.found.tips[name])]
    run.already += [name for name in group if name not in left and name in chosen]
    if not left:
        return []
    away = _held_back(run, group, left, chosen, context)
    if away is not None:
        _stay_out(run, left, *away)
        return []
    for name in left:
        problems = gate(context, run.found, name)
        if problems:
            conflict = _record(context, run, [name], "gate", (), output="\n".join(problems))
            run.unmerged[name] = Unmerged(
                stream=name, reason="gate", message="; ".join(problems), conflict=conflict
            )
            _stay_out(run, left, "depends", f"It leaves with stream {name}, which may not merge.")
            return []
    tip = run.tip
    settled: dict[str, list[dict[str, Any]]] = {}
    for name in left:
        commit, joined = _join(context, run, tip, name)
        if joined.conflicts:
            conflict = _record(
                context, run, [name], "conflict", joined.conflicts, output="\n".join(joined.reasons)
            )
            run.unmerged[name] = Unmerged(
                stream=name,
                reason="conflict",
                message=joined.told(f"Stream {name} does not merge"),
                paths=joined.conflicts,
                conflict=conflict,
            )
            _stay_out(run, left, "depends", f"It leaves with stream {name}, which does not merge.")
            return []
        tip, settled[name] = commit, joined.documents(commit)
    run.tip = tip
    run.settled |= settled
    return left


def _held_back(
    run: _Run, group: Sequence[str], left: Sequence[str], chosen: Sequence[str], context: Context
) -> tuple[str, str] | None:
    """Return why a group must wait for others: it holds commits of a stream that is not in the result."""
    for name in left:
        for later, earlier in sorted(run.found.synced):
            inside = context.repository.contains(run.tip, run.found.tips[earlier])
            if later == name and earlier not in group and not inside:
                return "depends", f"It contains work of stream {earlier}, which is not merged."
    missing = [name for name in left if name not in chosen]
    if missing:
        return "depends", f"It leaves together with {', '.join(missing)}, not asked for."
    return None


def _stay_out(run: _Run, names: Sequence[str], reason: str, message: str, *, conflict: int = 0) -> None:
    for name in names:
        if name not in run.unmerged:
            run.unmerged[name] = Unmerged(stream=name, reason=reason, message=message, conflict=conflict)
            run.say(f"stream {name} stays out: {message}")


def _join(context: Context, run: _Run, tip: str, name: str) -> tuple[str, Joined]:
    """Return a merge commit of a stream onto the tip with how it was merged; no commit: it conflicts."""
    theirs = run.found.tips[name]
    if context.repository.contains(tip, theirs):
        return tip, Joined()  # it came with another stream of its group
    joined = join(context, tip, theirs, accept=run.accept)
    if joined.conflicts:
        return "", joined
    trailers = [*protocol.trailers_of("", name, run.found.session.id, "", ()), (protocol.LANDING, theirs)]
    text = protocol.compose(name, f"chore: Merge stream {name}", trailers)
    commit = context.repository.commit(joined.tree, [tip, theirs], text, author=COORDINATOR)
    parted = parted_files(run.found.landings)
    return commit, joined.but(mixed(context, parted, (tip, theirs), commit), MIXED)


def _tested(context: Context, run: _Run) -> str | None:
    """Run the test command on the merged result; return the tail of its output if it fails."""
    configuration = run.found.configuration
    if not configuration.merge.test_command:
        return None
    run.say("testing the merged result")
    with context.worktrees.detached(run.tip) as path:
        context.worktrees.copy(path, configuration.worktrees.copy)
        for command, timeout_s in (
            (configuration.worktrees.setup, configuration.worktrees.setup_timeout_s),
            (configuration.merge.test_command, configuration.merge.test_timeout_s),
        ):
            began_s = context.clock.now().boot_s
            ran = context.worktrees.run(path, command, timeout_s=timeout_s) if command else None
            if ran is not None and command == configuration.merge.test_command:
                record_merged(
                    context,
                    session=run.found.session.id,
                    commit=run.tip,
                    command=command,
                    ran=ran,
                    duration_s=context.clock.now().boot_s - began_s,
                )
            if ran is not None and ran.status != 0:
                run.tests_passed = False
                how = f"took longer than {timeout_s:.0f} s" if ran.timed_out else f"exit status {ran.status}"
                return f"{command}: {how}\n{ran.output}"
    run.tests_passed = run.tests_passed is not False
    return None


def _take_phase(context: Context, run: _Run, before: str, number: int, names: Sequence[str]) -> None:
    with unit(context, durable=True) as opened:
        intention = intentions.intend(
            context,
            opened,
            verb=intentions.MERGE,
            agent="",
            ref=run.ref,
            old=before,
            new=run.tip,
            payload={
                "streams": {name: run.found.tips[name] for name in names},
                "phase": number,
                "settled": run.settled,
            },
        )
    if not intentions.carry_out(context, intention, MERGING):
        raise Refused(
            f"The branch {run.found.session.branch} was moved by somebody else.",
            remedy="Finalize again; what was merged stays merged.",
            again=True,
        )


def _record(
    context: Context, run: _Run, names: Sequence[str], why: str, paths: Sequence[str], *, output: str = ""
) -> int:
    """Record that streams stay out, once for each state of the branches, and return the conflict's id; 0 in a dry run."""
    if run.dry:
        return 0
    state = {name: run.found.tips[name] for name in names}
    with unit(context) as opened:
        known = [
            conflict
            for conflict in opened.tx.conflicts.all(run.found.session.id)
            if conflict.status is Status.OPEN and conflict.evidence.get("unmerged") == names[0]
        ]
        same = next(
            (each for each in known if each.evidence["state"] == state and each.evidence["why"] == why), None
        )
        for each in known:
            if each is not same:
                decide_in(opened, each.id, "overtaken: the stream was merged again in another state")
        if same is not None:
            return same.id
        for row in opened.tx.sessions.streams(run.found.session.id):
            if row.stream.name in names and row.state is not StreamState.CONFLICTED:
                opened.tx.sessions.put_stream(replace(row, state=StreamState.CONFLICTED))
        conflict = record(
            opened,
            Kind.SEMANTIC,
            names,
            paths,
            severity=Severity.HIGH,
            strategy=Strategy.ARBITRATE,
            unmerged=names[0],
            why=why,
            state=state,
            onto=run.tip,
            output=output,
        )
        opened.log(
            "not merged",
            stream=names[0],
            level=Level.CONFLICT,
            files=paths,
            streams=list(names),
            why=why,
            conflict=conflict,
        )
        return conflict


def _silent(_: str) -> None:
    """Report to nobody."""
