"""Checks changes against boundaries without a store: for ``pucs check boundary``, continuous integration and git hooks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pucs.coordinator.requesting import let_in
from pucs.core.errors import Usage
from pucs.streams.protocol import STREAM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import Repository
    from pucs.core.resources import Resource
    from pucs.streams.boundaries import Boundaries
    from pucs.streams.settings import Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One path that reaches into another stream."""

    path: str
    """The canonical resource."""
    stream: str
    """The other stream, which covers it."""
    waiver: int = 0
    """The approved waiver that lets it pass, 0 if there is none."""


def check_boundary(boundaries: Boundaries, stream: str, paths: Iterable[Resource]) -> list[Finding]:
    """Return a finding for each path that another stream covers, in the order given."""
    crossed = [(path, boundaries.crossed(path, stream)) for path in paths]
    return [Finding(path=path, stream=other) for path, other in crossed if other is not None]


def with_waivers(context: Context, stream: str, findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings with the waivers of the session that let agents of the stream pass, where there are any."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        if session is None:
            return list(findings)
        found = [(finding, let_in(tx, session.id, stream, finding.path)) for finding in findings]
    return [replace(finding, waiver=waiver.id) if waiver else finding for finding, waiver in found]


def configured_stream(configuration: Configuration, name: str) -> str:
    """Return a stream's name as the configuration spells it.

    Raises:
        Usage: there is no such stream; the remedy names those there are.
    """
    spelled = {stream.name.casefold(): stream.name for stream in configuration.streams}
    if name.casefold() not in spelled:
        close = get_close_matches(name.casefold(), spelled, 1)
        hint = (
            f"Did you mean {spelled[close[0]]!r}?"
            if close
            else f"Known are: {', '.join(spelled.values()) or 'none'}."
        )
        raise Usage(f"There is no stream {name!r} in {configuration.source}.", remedy=hint)
    return spelled[name.casefold()]


def own_changes(repository: Repository, base: str, tip: str, stream: str) -> list[Resource]:
    """Return the paths that a stream's own commits changed since ``base``.

    Commits that say in their trailers that they are another stream's came by a sync and are not judged (DESIGN §3.5),
    and then neither are merges; without such commits the whole difference counts.
    """
    commits = repository.commits(base, tip)
    foreign = {
        commit.id for commit in commits if commit.trailer(STREAM).casefold() not in ("", stream.casefold())
    }
    if not foreign:
        return repository.changed(base, tip)
    own = [commit for commit in commits if commit.id not in foreign and len(commit.parents) == 1]
    return list(
        dict.fromkeys(path for commit in own for path in repository.changed(commit.parents[0], commit.id))
    )
