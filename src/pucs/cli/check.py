"""``check boundary``, ``check files`` and ``check message``: what continuous integration and git hooks ask."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pucs.cli.door import Door, common_options, count
from pucs.core.errors import ConfigurationError, StoreError, Usage

if TYPE_CHECKING:
    from pucs.coordinator.boundaries import Finding
    from pucs.coordinator.ports import Repository, Worktrees
    from pucs.core.resources import Resource

MESSAGE_BYTES_MAX = 1024 * 1024
"""Longest commit message read; git's own tools show a fraction of that."""
_SCISSORS = "# ------------------------ >8 ------------------------"


@click.group()
@common_options
def check(door: Door) -> None:
    """Check boundaries, files and commit messages; exit status 1 if something is refused.

    Boundaries and messages need no session; files are judged against the leases of one.

    \b
    Example: pucs check boundary --stream shop --base origin/main
    """
    del door


@check.command("boundary", short_help="Check that changes stay out of other streams.")
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option(
    "--stream",
    metavar="S",
    required=True,
    envvar="PUCS_STREAM",
    help="Stream that changes them [PUCS_STREAM].",
)
@click.option(
    "--base", metavar="REV", default="", help="Check what was committed since it forked from here, too."
)
@common_options
def boundary(door: Door, files: tuple[str, ...], stream: str, base: str) -> None:
    """Check that files, or the changes of this checkout, stay out of other streams.

    Without FILE the uncommitted changes are checked, and with --base the commits since then as well. Commits that came
    from other streams by a sync are left out.

    \b
    Example: pucs check boundary --stream shop --base origin/main
    Example: pucs check boundary --stream shop shop/cart.py lib/tax.py
    """
    from pucs.cli.settings import configuration_file, read_configuration  # noqa: PLC0415
    from pucs.coordinator.boundaries import check_boundary, configured_stream  # noqa: PLC0415
    from pucs.streams.boundaries import Boundaries  # noqa: PLC0415
    from pucs.wiring import open_repository  # noqa: PLC0415

    repository, worktrees = open_repository(door.repo)
    top = checkout(door, repository, worktrees)
    found = configuration_file(top)
    if found is None:
        raise ConfigurationError(f"There is no configuration in {top}.", remedy="Make one: pucs init")
    configuration = read_configuration(found)
    name = configured_stream(configuration, stream)
    paths = worktrees.canonical(top, files) if files else _changes(repository, worktrees, top, name, base)
    findings = check_boundary(Boundaries(configuration.streams, configuration.generated), name, paths)
    known = _with_waivers(door, name, findings) if findings else []
    waived = [finding for finding in known if finding.waiver]
    findings = [finding for finding in known if not finding.waiver]
    lines = [f"{finding.path} belongs to stream {finding.stream}" for finding in findings]
    lines += [
        f"{finding.path} belongs to stream {finding.stream}; waiver {finding.waiver} lets it pass"
        for finding in waived
    ]
    if findings:
        lines.append(f"{len(findings)} of {len(paths)} changed paths are outside stream {name}.")
        lines.append(
            "Leave them to their stream, ask for it (pucs request), or change the patterns in the configuration."
        )
    elif waived:
        lines.append(f"All {len(paths)} changed paths are within stream {name}, shared or waived.")
    else:
        lines.append(f"All {len(paths)} changed paths are within stream {name} or shared.")
    document = {
        "stream": name,
        "checked": len(paths),
        "findings": [{"path": finding.path, "stream": finding.stream} for finding in findings],
        "waived": waived,
    }
    door.say(document, "\n".join(lines))
    if findings:
        raise SystemExit(1)


@check.command("files", short_help="Check that an agent may commit files.")
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--staged", is_flag=True, help="Check what is staged for the next commit.")
@click.option(
    "--agent",
    metavar="A",
    default="",
    envvar="PUCS_AGENT",
    help="Agent that commits [PUCS_AGENT; default: the one this worktree was made for].",
)
@common_options
def files(door: Door, files: tuple[str, ...], agent: str, *, staged: bool) -> None:
    """Check that an agent may commit files: that nobody else holds them, and that they are of its stream or shared.

    Without FILE the uncommitted changes are checked, with --staged what is staged. A checkout that was made for no agent
    is a person's: nothing is refused there unless --agent is given. Free files pass, for landing leases them.

    \b
    Example: pucs check files --staged
    """
    from pucs.coordinator.committing import Judged, judge_files  # noqa: PLC0415
    from pucs.wiring import open_repository  # noqa: PLC0415

    repository, worktrees = open_repository(door.repo)
    top = checkout(door, repository, worktrees)
    if staged:
        paths = tuple(worktrees.staged(top, index=os.environ.get("GIT_INDEX_FILE", "")))
    else:
        paths = worktrees.canonical(top, files) if files else tuple(worktrees.dirty(top))
    try:
        found = judge_files(door.context(), top=top, paths=paths, agent=agent)
    except StoreError as error:
        if not error.fields.get("missing"):
            raise
        found = Judged(agent="")  # there has never been a session
    who = f"{found.agent} may commit" if found.agent else "Nobody objects to"
    lines = [f"{one.reason}. {one.remedy}" for one in found.objections]
    document = {"agent": found.agent, "checked": len(paths), "objections": found.objections}
    door.say(document, "\n".join(lines) or f"{who} {count(len(paths), 'file')}.")
    if found.objections:
        raise SystemExit(1)


@check.command("message", short_help="Check that a commit message follows the protocol.")
@click.argument("file", required=False, metavar="[FILE|-]")
@click.option("--text", metavar="MESSAGE", default=None, help="The message itself.")
@common_options
def message(door: Door, file: str | None, text: str | None) -> None:
    """Check that a commit message follows the protocol: [PUCS-<stream>] <type>: <description>.

    The message is FILE, as git gives it to a commit-msg hook, or - for standard input, or --text. Where there is a
    configuration the stream must be in it.

    \b
    Example: pucs check message --text "[PUCS-shop] feat: Add discounts"
    """
    from pucs.streams.protocol import problems  # noqa: PLC0415

    if (file is None) == (text is None):
        raise Usage("Nothing to check, or too much.", remedy="Give a FILE, - for standard input, or --text.")
    found = problems(text if text is not None else _read_message(str(file)), _known_streams(door))
    door.say({"valid": not found, "problems": found}, "\n".join(found) or "The message follows the protocol.")
    if found:
        raise SystemExit(1)


def checkout(door: Door, repository: Repository, worktrees: Worktrees) -> str:
    """Return the top of the checkout that the call stands in: the worktree of an agent, or the main one."""
    # Launched agents have the main checkout in PUCS_REPO, and stand in a worktree of their own.
    here = Path("." if door.repo == os.environ.get("PUCS_REPO") else door.repo).resolve()
    tops = [top for top in {repository.root, *worktrees.paths()} if here.is_relative_to(Path(top).resolve())]
    return max(tops, key=len, default=repository.root)


def _with_waivers(door: Door, stream: str, findings: list[Finding]) -> list[Finding]:
    """Look for waivers where there is a store; the check needs none."""
    from pucs.coordinator.boundaries import with_waivers  # noqa: PLC0415
    from pucs.core.errors import NotFound, StoreError  # noqa: PLC0415

    try:
        return with_waivers(door.context(), stream, findings)
    except (NotFound, StoreError):
        return findings


def _changes(
    repository: Repository, worktrees: Worktrees, top: str, stream: str, base: str
) -> tuple[Resource, ...]:
    from pucs.coordinator.boundaries import own_changes  # noqa: PLC0415

    found = worktrees.dirty(top)
    if base:
        start = repository.resolve(base)
        if start is None:
            raise Usage(f"{base!r} is no commit.", remedy="Name a branch, a tag or a commit.")
        head = worktrees.head(top)
        fork = repository.merge_base(start, head)
        if fork is None:
            raise Usage(
                f"{base!r} has no history in common with this checkout.",
                remedy="Fetch more of it, or name another.",
            )
        found = [*own_changes(repository, fork, head, stream), *found]
    return tuple(dict.fromkeys(found))


def _known_streams(door: Door) -> list[str]:
    from pucs.cli.settings import configuration_file, read_configuration  # noqa: PLC0415
    from pucs.core.errors import EnvironmentFailure  # noqa: PLC0415
    from pucs.wiring import open_repository  # noqa: PLC0415

    try:
        top = checkout(door, *open_repository(door.repo))
    except EnvironmentFailure:
        return []  # a message can be checked anywhere
    found = configuration_file(top)
    return [stream.name for stream in read_configuration(found).streams] if found else []


def _read_message(file: str) -> str:
    """Return a message without git's comments."""
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MESSAGE_BYTES_MAX)
        else:
            with Path(file).open("rb") as opened:
                data = opened.read(MESSAGE_BYTES_MAX)
    except OSError as error:
        raise Usage(f"{file} cannot be read: {error.strerror}.", remedy="Check the name.") from error
    text = data.decode("utf-8", "replace").partition(_SCISSORS)[0]
    return "\n".join(line for line in text.splitlines() if not line.startswith("#")).strip()
