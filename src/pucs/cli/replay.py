"""``merge replay``: what would have become of a repository's own merges."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

import click

from pucs.cli.door import EXIT_INTERRUPTED, Door, common_options, count, one_line
from pucs.core.errors import NotFound, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pucs.coordinator.past import PastMerge, PastMerges
    from pucs.coordinator.replaying import Account
    from pucs.merge.records import Tier

MERGES_SHOWN: Final = 2000
"""As ``coordinator.replaying.MERGES_MAX``, which loads too much for a help text; a test holds them together."""
LIMIT_MAX: Final = 10_000_000
"""More merges than any repository has."""
REASONS_SHOWN: Final = 3
_COMMIT = re.compile("[0-9a-f]{4,64}")


@click.command()
@click.argument("repository", required=False, metavar="[REPO]")
@click.option(
    "--since",
    metavar="DATE|REV",
    default="",
    help="Only merges committed since a date or a span such as 90d, or that a revision does not have.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, LIMIT_MAX),
    default=MERGES_SHOWN,
    show_default=True,
    help="Most merges to replay, the newest first.",
)
@click.option(
    "--accept",
    type=click.Choice(["auto", "review"]),
    default="auto",
    show_default=True,
    help="With review, guesses are applied as well.",
)
@click.option("--path", "globs", metavar="GLOB", multiple=True, help="Only these files; may be given again.")
@click.option(
    "--show",
    metavar="FILE|ID",
    default="",
    help="Show one: git's conflict, and the proposal beside what people committed.",
)
@common_options
def replay(
    door: Door,
    *,
    repository: str | None,
    since: str,
    limit: int,
    accept: str,
    globs: tuple[str, ...],
    show: str,
) -> int:
    """Replay a repository's own merges: what git stopped at, what PUCS makes of it, and what people committed.

    Writes nothing into the repository and runs nothing of it; it may be bare. Interrupt it at any time: what is there by
    then is told. A file that differs from what people committed is not thereby wrong.

    \b
    Example: pucs merge replay
    Example: pucs merge replay ../flask --since 2023-01-01 --accept review --path '**/*.py'
    Example: pucs merge replay --show 1a2b3c4d5e:shop/cart.py
    """
    from pucs.coordinator.replaying import Account  # noqa: PLC0415 - after the options are checked
    from pucs.merge.records import Tier  # noqa: PLC0415
    from pucs.wiring import open_past_merges  # noqa: PLC0415

    wanted = _wanted(globs)
    past = open_past_merges(repository or door.repo)
    tier = Tier(accept)
    merges = _merges(past, show, since, limit)
    if show:
        return _show(door, past, show, merges, tier)
    account = Account(past.place, tier, len(merges))
    interrupted = _replayed(past, merges, account, tier, wanted)
    document = account.document(interrupted=interrupted)
    door.say(document, lambda: _text(document))
    return EXIT_INTERRUPTED if interrupted else 0


def _text(document: dict[str, object]) -> str:
    from pucs.cli.replay_text import lines  # noqa: PLC0415 - only for people

    return "\n".join(lines(document))


def _wanted(globs: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a path is asked for."""
    from pucs.streams.patterns import compile_pattern, matches  # noqa: PLC0415 - only to look

    for glob in globs:
        compile_pattern(glob)  # says what is wrong with it
    return lambda path: not globs or any(matches(glob, path) for glob in globs)


def _merges(past: PastMerges, show: str, since: str, limit: int) -> list[PastMerge]:
    """Return the merges to replay: those since a date or a revision, or the one that an id names."""
    commit, _ = _named(show)
    if commit:
        return [past.one(commit)]
    after, beyond = _bound(since)
    try:
        return past.listing(after=after, beyond=beyond, merges_max=limit)
    except NotFound as error:
        raise Usage(
            f"{since!r} is neither a date nor a commit here.",
            remedy="Write 2024-01-31, 90d, a commit, a branch or a tag.",
        ) from error


def _bound(since: str) -> tuple[str, str]:
    """Return what was asked for as a wall time, or as a revision."""
    from pucs.cli.log import moment  # noqa: PLC0415 - only with --since

    try:
        return moment(since, time.time()), ""
    except Usage:
        return "", since


def _replayed(
    past: PastMerges,
    merges: Sequence[PastMerge],
    account: Account,
    tier: Tier,
    wanted: Callable[[str], bool],
) -> bool:
    """Replay merges into an account, with a bar on a terminal; return whether it was interrupted."""
    from pucs.cli.bars import merging_bar  # noqa: PLC0415
    from pucs.coordinator.replaying import replay as replaying  # noqa: PLC0415

    try:
        with merging_bar() as told:
            for one in replaying(past, merges, accept=tier, clock=time.perf_counter, wanted=wanted):
                account.add(one)
                told(account.done, len(merges))
    except KeyboardInterrupt:
        return True
    return False


def _show(door: Door, past: PastMerges, show: str, merges: Sequence[PastMerge], tier: Tier) -> int:
    """Show every replayed file of a name."""
    from pucs.cli.replay_text import differences, shown  # noqa: PLC0415
    from pucs.coordinator.past import LeftOut  # noqa: PLC0415
    from pucs.coordinator.replaying import Replayed, file_document  # noqa: PLC0415
    from pucs.coordinator.replaying import replay as replaying  # noqa: PLC0415

    path = _named(show)[1]
    found: list[Replayed] = []
    reasons: list[str] = []
    told = replaying(past, merges, accept=tier, clock=time.perf_counter, wanted=lambda name: name == path)
    for one in told:
        if isinstance(one, Replayed):
            found.append(one)
        elif isinstance(one, LeftOut):
            reasons.append(f"{one.merge.commit[:10]}: {one.reason.value}")
    if not found:
        why = f" Left out: {'; '.join(reasons[:REASONS_SHOWN])}." if reasons else ""
        raise NotFound(
            f"Of {count(len(merges), 'merge')}, none has a conflict in {one_line(path)} to show.{why}",
            remedy="Which there are: pucs merge replay --json",
        )
    documents = [file_document(one) | {"differences": differences(one)} for one in found]
    door.say(documents, lambda: "\n\n".join("\n".join(shown(one)) for one in found))
    return 0


def _named(show: str) -> tuple[str, str]:
    """Take apart what is to be shown: the commit of one merge, or nothing, and the path."""
    commit, colon, path = show.partition(":")
    return (commit, path) if colon and _COMMIT.fullmatch(commit) else ("", show)
