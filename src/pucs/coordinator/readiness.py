"""Looks for what should be put in order before many agents change a repository at once: ``pucs readiness``.

Needs no session and no store. Python files come from the index; only candidates for being alike, and files that may hold
settings or paths, are read again. Nothing is imported or executed, and no file is written.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pucs.code.modules import is_python
from pucs.code.readiness.cycles import cycles
from pucs.code.readiness.deprecations import deprecations
from pucs.code.readiness.duplicates import duplicates
from pucs.code.readiness.home_paths import home_paths, homes_named, may_name_homes
from pucs.code.readiness.likeness import is_own
from pucs.code.readiness.purposes import purposes
from pucs.code.readiness.records import Finding, ranked
from pucs.code.readiness.settings_files import SERIES_MIN, may_hold_settings, repeated_settings
from pucs.code.readiness.shadows import shadows
from pucs.code.readiness.view import View
from pucs.coordinator.indexing import indexed, resolved
from pucs.core.resources import path_resource
from pucs.core.severities import Severity
from pucs.core.sources import is_code
from pucs.streams.patterns import matches
from pucs.syntax.bodies import bodies

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from pucs.coordinator.ports import Index, Parsers, Sources

READ_MAX: Final = 20_000
"""Files looked through for paths, apart from Python files: a few seconds."""
TITLE_MAX: Final = 120
"""Longest title of a task; its prompt says the rest."""
SEVERITIES: Final = (Severity.HIGH, Severity.MEDIUM, Severity.LOW)
_ID: Final = re.compile(r"[a-z-]+-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What was found."""

    findings: tuple[Finding, ...]
    """In the order to look at them."""
    accepted: tuple[str, ...]
    """Ids of what was found and is accepted."""
    unknown: tuple[str, ...]
    """Accepted ids that nothing was found for: settled, or changed since."""
    files: int
    """Files of code that were looked at."""
    notes: tuple[str, ...]
    """What was left out."""

    def reaching(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of at least a severity."""
        return tuple(
            one for one in self.findings if SEVERITIES.index(one.severity) <= SEVERITIES.index(severity)
        )


def readiness(
    sources: Sources,
    index: Index,
    parsers: Parsers,
    *,
    ignore: Sequence[str] = (),
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Readiness:
    """Return what should be put in order in a checkout.

    Args:
        sources: Its files.
        index: Where facts of files are kept between calls.
        parsers: Who tells them.
        ignore: Ids of findings that are accepted, and glob patterns of files that are not looked at.
        told: Hears how many of the files that had to be parsed are done.
    """
    ids = {one for one in ignore if _ID.fullmatch(one)}
    patterns = [one for one in ignore if one not in ids]
    listing = sources.listing()
    facts = indexed(sources, index, parsers, listing=listing, told=told)
    code = resolved(sources, listing, facts)
    files = [path for path in listing if not any(matches(pattern, path) for pattern in patterns)]
    looked_at = set(files)
    view = View(
        code,
        code.edges(),
        frozenset(path for path in code.facts if path in looked_at and is_python(path) and is_own(path)),
        lambda path, names: _bodies(sources, path, names),
    )
    notes = [*sources.notes(), *_unread(facts)]
    found = [
        *shadows(view),
        *duplicates(view),
        *purposes(view),
        *deprecations(view),
        *cycles(view),
        *_settings(sources, files, notes),
        *home_paths(_homes(sources, files, notes)),
    ]
    found = [one for one in found if any(place.file in looked_at for place in one.locations)]
    known = {one.id for one in found}
    return Readiness(
        findings=ranked(one for one in found if one.id not in ids),
        accepted=tuple(sorted(ids & known)),
        unknown=tuple(sorted(ids - known)),
        files=len(code.facts),
        notes=tuple(notes),
    )


def _bodies(sources: Sources, path: str, names: Collection[str]) -> Mapping[str, Counter[str]]:
    source = sources.read(path)
    return bodies(source, names) if source is not None else {}


def _unread(facts: Mapping[str, Any]) -> Iterator[str]:
    """Tell which files could not be read in full."""
    broken = sorted(path for path, known in facts.items() if known.problem)
    if broken:
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""  # noqa: PLR2004 - fits a line
        yield f"{', '.join(broken[:3])}{more} could not be parsed; only their imports count."


def _settings(sources: Sources, files: Sequence[str], notes: list[str]) -> Iterable[Finding]:
    read = {path: source for path in may_hold_settings(files) if (source := sources.read(path)) is not None}
    return repeated_settings(read, notes)


def _homes(sources: Sources, files: Sequence[str], notes: list[str]) -> Iterator[tuple[str, str, int]]:
    """Give the home directories that files name; of data that comes in series no file is read."""
    beside = Counter((path.rpartition("/")[0], path.rpartition(".")[2]) for path in files)
    called = Counter(path.rpartition("/")[2] for path in files)
    chosen = [
        path
        for path in files
        if may_name_homes(path)
        and (
            is_code(path)
            or (
                beside[path.rpartition("/")[0], path.rpartition(".")[2]] < SERIES_MIN
                and called[path.rpartition("/")[2]] < SERIES_MIN
            )
        )
    ]
    if len(chosen) > READ_MAX:
        notes.append(f"{len(chosen) - READ_MAX} files were not looked through for paths of home directories.")
    for path in chosen[:READ_MAX]:
        source = sources.read(path)
        for home, line in homes_named(path, source) if source else ():
            yield path, home, line


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings there are of each severity."""
    found = Counter(one.severity for one in findings)
    return {severity.value: found[severity] for severity in SEVERITIES}


def document(result: Readiness, shown: Iterable[Finding]) -> dict[str, Any]:
    """Return the document of ``readiness --json`` (DESIGN §7)."""
    return {
        "findings": [
            {
                "id": one.id,
                "kind": one.kind,
                "severity": one.severity,
                "guess": one.guess,
                "message": one.message,
                "locations": [{"file": place.file, "line": place.line} for place in one.locations],
                "remedy": one.remedy,
            }
            for one in shown
        ],
        "counts": counts(result.findings),
        "accepted": result.accepted,
        "accepted_unknown": result.unknown,
        "files": result.files,
        "notes": result.notes,
    }


def as_tasks(
    findings: Iterable[Finding],
    owner: Callable[[str], str | None] = lambda _path: None,
    streams: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return findings as tasks for ``pucs run``, urgent ones first.

    A task changes files of one stream, so a finding in several becomes a chain of tasks; files of no stream go with the first.
    Each comes after the last one before it that names one of its files, so that no two change a file at once.
    """
    tasks: list[dict[str, Any]] = []
    last: dict[str, str] = {}
    for one in findings:
        parts = _parts(one, owner, streams)
        before = ""
        for number, (stream, files) in enumerate(parts, start=1):
            name = one.id if len(parts) == 1 else f"{one.id}-{number}"
            after = sorted({before, *(last[path] for path in files if path in last)} - {""})
            task: dict[str, Any] = {"id": name, "title": _title(one, number, len(parts))}
            if stream:
                task["stream"] = stream
            task["files"] = [path_resource(path) for path in files]
            task["prompt"] = _prompt(one, files if len(parts) > 1 else ())
            if after:
                task["after"] = after
            last.update(dict.fromkeys(files, name))
            before = name
            tasks.append(task)
    return tasks


def _parts(
    one: Finding, owner: Callable[[str], str | None], streams: Sequence[str]
) -> list[tuple[str, list[str]]]:
    """Return the files that a finding is about by stream, in the order in which it names them."""
    lines = [place for place in one.locations if place.line] or list(one.locations)
    parts: dict[str, list[str]] = {}
    shared = []
    for path in dict.fromkeys(place.file for place in lines):
        stream = owner(path)
        if stream:
            parts.setdefault(stream, []).append(path)
        else:
            shared.append(path)
    if not parts:
        return [(streams[0] if streams else "", sorted(shared))]
    first = next(iter(parts))
    parts[first] += shared
    return [(stream, sorted(files)) for stream, files in parts.items()]


def _title(one: Finding, number: int, total: int) -> str:
    text = " ".join(one.message.partition(". ")[0].rstrip(".").split())
    part = f" ({number} of {total})" if total > 1 else ""
    most = TITLE_MAX - len(part)
    return (text if len(text) <= most else f"{text[: most - 1]}…") + part


def _prompt(one: Finding, only: Sequence[str]) -> str:
    places = "\n".join(
        f"- {place.file}:{place.line}" if place.line else f"- {place.file}" for place in one.locations
    )
    said = [one.message]
    if one.guess:
        said.append(
            "This is a guess from names and likeness: check first, and change nothing if it is wrong."
        )
    said += [one.remedy, f"Places:\n{places}"]
    if only:
        said.append(
            f"Change only {', '.join(only)} here; tasks before and after this one have the other files."
        )
    return "\n".join([*said, "Let the tests pass as before."])
