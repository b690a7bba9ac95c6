"""``doctor``: is everything in order, and if not, what to do about it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pucs.cli.door import Door, common_options, count, table
from pucs.core.errors import PucsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pucs.coordinator.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


@click.command()
@click.option(
    "--fix", is_flag=True, help="End what is over, finish what dead processes left, write a backup."
)
@common_options
def doctor(door: Door, *, fix: bool) -> None:
    """Check git, the store and its backups, leases of dead owners, unfinished steps, agent programs, hooks and the merge driver.

    Each installed hook is tried with a call that it has to refuse. Status 1 if anything is wrong.

    \b
    Example: pucs doctor --fix
    """
    checks = list(_checks(door, fix=fix))
    rows = [("ok" if check.ok else "WRONG", check.name, check.found) for check in checks]
    remedies = [f"{check.name}: {check.remedy}" for check in checks if not check.ok and check.remedy]
    text = table(rows, ("", "CHECK", "FOUND")) + ("\n\n" + "\n".join(remedies) if remedies else "")
    door.say(checks, text)
    if not all(check.ok for check in checks):
        raise SystemExit(1)


def _checks(door: Door, *, fix: bool) -> Iterator[Check]:
    import apsw  # noqa: PLC0415 - its version is what is asked for

    yield Check(name="python", ok=True, found=f"{platform.python_version()} on {platform.system()}")
    yield Check(name="sqlite", ok=True, found=apsw.sqlite_lib_version())
    repository = _tried("git", lambda: _git(door))
    yield repository
    if not repository.ok:
        return
    yield from _programs(door)
    yield _tried("merge driver", lambda: _merge_driver(door))
    try:
        context = door.context()
    except PucsError as error:
        yield Check(name="store", ok=False, found=error.message, remedy=_with_backups(door, error.remedy))
        return
    yield from _called_in(context)
    yield _tried("store", lambda: _store(context))
    yield _tried("backups", lambda: _backups(context, fix=fix))
    yield _tried("leases", lambda: _leases(context, fix=fix))
    yield _tried("unfinished steps", lambda: _intentions(context, fix=fix))


def _tried(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except PucsError as error:
        # A cell is one line, and what git says may be more.
        return Check(name=name, ok=False, found=" ".join(error.message.split()), remedy=error.remedy)


def _git(door: Door) -> Check:
    from pucs.wiring import open_repository  # noqa: PLC0415

    repository, worktrees = open_repository(door.repo)
    return Check(name="git", ok=True, found=f"{repository.root}, {count(len(worktrees.paths()), 'worktree')}")


def _programs(door: Door) -> Iterator[Check]:
    """Tell which agent programs are there, and try the installed hooks; a program without ours may be as it likes."""
    from pucs.hooks.installing_site import site  # noqa: PLC0415
    from pucs.hooks.probing import probes  # noqa: PLC0415
    from pucs.wiring import open_repository, programs  # noqa: PLC0415

    repository, _ = open_repository(door.repo)
    tried = list(probes(site(repository)))
    hooked = {probe.front.partition(" ")[0] for probe in tried if probe.installed}
    for name, program in sorted(programs().items()):
        found = program.look(os.environ)
        said = found.problem or found.warning
        if not found.version:
            text = "not installed, or not on PATH"
        else:
            text = f"{found.version}: {said}" if said else found.version
        wrong = bool(found.version and found.problem) and name in hooked
        yield Check(name=name, ok=not wrong, found=text, remedy=found.remedy)
    for probe in tried:
        yield Check(name=probe.front, ok=probe.ok, found=probe.found, remedy=probe.remedy)


def _merge_driver(door: Door) -> Check:
    """Try the merge driver that git would call here."""
    from pucs.hooks.probing_merge import merge_probe  # noqa: PLC0415
    from pucs.wiring import merge_settings  # noqa: PLC0415

    probe = merge_probe(merge_settings(door.repo), merge_settings(everywhere=True))
    return Check(name=probe.front, ok=probe.ok, found=probe.found, remedy=probe.remedy)


def _called_in(context: Context) -> Iterator[Check]:
    """Tell whose hooks have called in during the session: a program may skip hooks without a word."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        agents = tx.agents.all(session.id) if session is not None else []
        calls = [(one, agent) for agent in agents for one in tx.conversations.of_agent(agent.id)]
    for program in ("claude", "codex"):
        mine = [(one, agent) for one, agent in calls if one.program == program]
        last, agent = max(mine, key=lambda pair: pair[0].begun_at, default=(None, None))
        found = "none in this session yet"
        if last is not None and agent is not None:
            talks = count(len(mine), "conversation")
            found = f"{talks}, the last of {agent.id} from {last.begun_at} ({agent.enforcement.value})"
        yield Check(name=f"{program} calls", ok=True, found=found)


def _store(context: Context) -> Check:
    wrong = context.store.check()
    found = "; ".join(wrong[:3]) if wrong else f"{context.store.path} is sound"
    if context.store.remark:
        found += f"; {context.store.remark}"
    return Check(
        name="store", ok=not wrong, found=found, remedy="Restore the newest backup." if wrong else ""
    )


def _with_backups(door: Door, remedy: str) -> str:
    from pucs.wiring import backups_of  # noqa: PLC0415

    kept = backups_of(door.repo)
    return f"{remedy.rstrip('.')}. The newest backup is {kept[-1]}" if kept else remedy


def _backups(context: Context, *, fix: bool) -> Check:
    from pucs.wiring import backup, backup_directory  # noqa: PLC0415

    if "://" in context.store.path:
        return Check(
            name="backups", ok=True, found="left to the database's administrator (pg_dump)", remedy=""
        )
    if fix:
        backup(context)
    kept = sorted(Path(backup_directory(context)).glob("state-*.db"))
    found = f"{len(kept)}, the newest {kept[-1]}" if kept else "none"
    return Check(
        name="backups", ok=bool(kept), found=found, remedy="" if kept else "Write one: pucs doctor --fix"
    )


def _leases(context: Context, *, fix: bool) -> Check:
    from pucs.coordinator.inspecting import locks  # noqa: PLC0415
    from pucs.coordinator.leases import cleanup  # noqa: PLC0415

    live = locks(context)
    dead = [
        lease for lease in live if lease.owner is not None and context.processes.alive(lease.owner) is False
    ]
    if fix and dead:
        ended = cleanup(context)
        return Check(name="leases", ok=True, found=f"ended {len(ended)} of dead owners")
    found = f"{len(live)} live" + (f", {len(dead)} of dead owners" if dead else "")
    return Check(name="leases", ok=not dead, found=found, remedy="End them: pucs cleanup" if dead else "")


def _intentions(context: Context, *, fix: bool) -> Check:
    from pucs.coordinator.intentions import left_behind  # noqa: PLC0415
    from pucs.coordinator.settling import settle  # noqa: PLC0415

    with context.store.read() as tx:
        left = [one for one in tx.intentions.all() if left_behind(context, one)]
    if fix and left:
        settled = settle(context)
        return Check(name="unfinished steps", ok=True, found=f"completed or undid {settled}")
    found = f"{len(left)} left behind by dead processes" if left else "none"
    remedy = "Complete or undo them: pucs doctor --fix" if left else ""
    return Check(name="unfinished steps", ok=not left, found=found, remedy=remedy)
