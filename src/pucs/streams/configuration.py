"""Reads a configuration file into records, or says everything that is wrong with it, each with its line.

Where the seeds left a choice: a stream's name is the key of its mapping and ``name:`` is what people call it;
``dependencies`` mean what ``streams.dependencies`` says; a critical file without a limit has the general one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pucs.core.documents import Placed, Problems, load
from pucs.core.errors import Usage
from pucs.core.resources import NAMED_PREFIX
from pucs.core.resources import parse as parse_resource
from pucs.core.shapes import Reading, plain
from pucs.streams.dependencies import cycle, needs, streams_meant
from pucs.streams.layout import CONFIGURATION
from pucs.streams.patterns import compile_pattern
from pucs.streams.records import CriticalFile, Stream
from pucs.streams.settings import (
    AgentSettings,
    BranchSettings,
    Configuration,
    Limits,
    MergeSettings,
    ProgramSettings,
    ReadinessSettings,
    ResourceLimit,
    TestSettings,
    WorktreeSettings,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

FILE_NAMES: Final = ("pucs.yaml", "pucs_config.yaml", "config/pucs_streams.yaml")
"""Where a configuration is looked for, the first one found counts (DESIGN §7)."""
STREAM_NAME_CHARACTERS_MAX: Final = 64
"""Longest name: it becomes part of branch names and of every commit's first line."""
_STREAM_NAME = re.compile(r"(?!.*(?:\.\.|\.lock$))[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?")
PROGRAM_NAME_CHARACTERS_MAX: Final = 32
"""Longest name of an agent program: it becomes part of agents' ids and of addresses."""
_PROGRAM_NAME = re.compile(f"[a-z][a-z0-9-]{{0,{PROGRAM_NAME_CHARACTERS_MAX - 1}}}")
_PASSWORD = re.compile(r"^\w+://([^/?@]*:[^/?@]+@|.*[?&](ssl)?password=)")
_RESERVED = frozenset({"all"})  # `pucs log --stream all`

_Values = dict[str, Any]


def locate(present: Collection[str]) -> str | None:
    """Return which of the files present is the configuration; None: there is none."""
    return next((name for name in FILE_NAMES if name in present), None)


def parse(text: str, source: str, environment: Mapping[str, str]) -> Configuration:
    """Return the configuration that a text holds.

    ``source`` is the file's name for messages; ``environment`` fills in ``${NAME}`` and ``${NAME:-default}``.

    Raises:
        ConfigurationError: something is wrong; it carries every problem found, each with file and line.
    """
    problems = Problems(source)
    values: _Values = CONFIGURATION.read(load(text, problems), Reading(problems, environment))
    streams = _streams(values.get("streams", {}), problems)
    limits = Limits(**plain(values.get("limits", {})))
    if limits.default_duration_s > limits.max_duration_s:
        problems.add(values["limits"][""], "default_duration_min is longer than max_duration_min")
    critical = _critical_files(values.get("critical_files", ()), limits, problems)
    generated = values.get("generated", ())
    _check_patterns([entry["path"] for entry in generated if "path" in entry], problems)
    _check_phases(values.get("merge", {}).get("phases", ()), streams, problems)
    resources = _resources(values.get("resources", {}), problems)
    agents = plain(values.get("agents", {}))
    programs = _programs(values.get("agents", {}).get("programs", {}), problems)
    _check_store(values.get("store"), problems)
    _check_patterns(values.get("readiness", {}).get("ignore", ()), problems)
    problems.settle()
    flat: _Values = {}
    for section in ("session", "logging", "conflict_resolution"):
        flat |= plain(values.get(section, {}))
    return Configuration(
        source=source,
        store=plain(values.get("store", "")),
        streams=streams,
        critical_files=critical,
        generated=tuple(str(entry["path"]) for entry in generated),
        generated_commands=tuple(
            (str(entry["path"]), str(entry["command"])) for entry in generated if "command" in entry
        ),
        limits=limits,
        resources=resources,
        worktrees=WorktreeSettings(**plain(values.get("worktrees", {}))),
        branches=BranchSettings(**plain(values.get("branches", {}))),
        merge=MergeSettings(**plain(values.get("merge", {}))),
        tests=TestSettings(**plain(values.get("tests", {}))),
        agents=AgentSettings(**{**agents, "programs": programs}),
        readiness=ReadinessSettings(**plain(values.get("readiness", {}))),
        warnings=tuple(problems.warnings),
        **flat,
    )


def _check_store(store: Placed | None, problems: Problems) -> None:
    """Refuse a password, also one from a variable: the configuration is kept in rows and files that others read."""
    if store is not None and _PASSWORD.search(str(store)):
        problems.add(
            store, "store holds a password; leave it out, and set PGPASSWORD or write it to ~/.pgpass"
        )


def _streams(written: Mapping[Placed, _Values], problems: Problems) -> tuple[Stream, ...]:
    """Return the streams, having checked their names, patterns and order."""
    _check_names(written, problems)
    seen: dict[str, Placed] = {}
    streams: list[Stream] = []
    for name, values in written.items():
        patterns: Sequence[Placed] = values.get("files_pattern", ())
        if "files_pattern" in values and not patterns:
            problems.add(name, f"the stream {str(name)!r} has no files; name some in files_pattern")
        for key in ("files_pattern", "test_pattern", "critical_files"):
            _check_patterns(values.get(key, ()), problems)
        for pattern in patterns:
            other = seen.setdefault(str(pattern), name)
            if other != name:
                problems.add(
                    pattern,
                    f"the pattern {str(pattern)!r} is in two streams: {str(name)!r} and {str(other)!r} "
                    f"(line {other.line}); a file belongs to one stream",
                )
        lines = tuple(pattern.line for pattern in patterns)
        streams.append(Stream(**{"files_pattern": (), **plain(values)}, name=str(name), pattern_lines=lines))
    _check_cycle(written, streams, problems)
    return tuple(streams)


def _check_names(names: Iterable[Placed], problems: Problems) -> None:
    known: dict[str, Placed] = {}
    for name in names:
        if (
            not _STREAM_NAME.fullmatch(name)
            or len(name) > STREAM_NAME_CHARACTERS_MAX
            or name.endswith(".lock")
        ):
            problems.add(
                name,
                f"{str(name)!r} cannot name a stream: it becomes part of branch names, so use letters, digits, - _ . "
                f"and at most {STREAM_NAME_CHARACTERS_MAX} of them",
            )
        elif name.lower() in _RESERVED:
            problems.add(name, f"{str(name)!r} cannot name a stream: it stands for all of them")
        first = known.setdefault(name.casefold(), name)
        if first is not name:
            problems.add(
                name,
                f"{str(name)!r} and {str(first)!r} (line {first.line}) differ only in case; names ignore case",
            )


def _check_patterns(patterns: Iterable[Placed], problems: Problems) -> None:
    for pattern in patterns:
        try:
            compile_pattern(str(pattern))
        except Usage as error:
            problems.add(pattern, str(error))


def _check_cycle(written: Mapping[Placed, _Values], streams: Sequence[Stream], problems: Problems) -> None:
    found = cycle(needs(streams))
    if not found:
        return
    entries: Sequence[Placed] = written[found[0]].get("dependencies", ())  # type: ignore[index]
    place = next(entry for entry in entries if found[1] in streams_meant(entry, streams))
    problems.add(
        place, f"streams depend on each other in a cycle: {' → '.join(found)}; leave out one of these"
    )


def _critical_files(
    written: Iterable[_Values], limits: Limits, problems: Problems
) -> tuple[CriticalFile, ...]:
    entries = [entry for entry in written if "path" in entry]
    _check_patterns([entry["path"] for entry in entries], problems)
    return tuple(
        CriticalFile(**{"max_lock_duration_s": limits.max_duration_s, **plain(entry)}) for entry in entries
    )


def _resources(written: Mapping[Placed, _Values], problems: Problems) -> tuple[ResourceLimit, ...]:
    limits: list[ResourceLimit] = []
    seen: dict[str, Placed] = {}
    for name, values in written.items():
        bare = str(name).removeprefix(NAMED_PREFIX)
        try:
            parse_resource(NAMED_PREFIX + bare)
        except Usage as error:
            problems.add(name, f"{str(name)!r} names no resource: {error.remedy}")
            continue
        _check_patterns([Placed(bare, name.line, name.column)], problems)
        first = seen.setdefault(bare, name)
        if first is not name:
            problems.add(name, f"{str(name)!r} is the same resource as {str(first)!r} (line {first.line})")
        rate, period_s = values.get("rate", (0, 0.0))
        limits.append(
            ResourceLimit(name=bare, concurrency=values.get("concurrency", 1), rate=rate, period_s=period_s)
        )
    return tuple(limits)


def _programs(written: Mapping[Placed, _Values], problems: Problems) -> tuple[ProgramSettings, ...]:
    for name in written:
        if not _PROGRAM_NAME.fullmatch(name):
            problems.add(
                name,
                f"{str(name)!r} cannot name a program: use small letters, digits and -, at most "
                f"{PROGRAM_NAME_CHARACTERS_MAX}",
            )
    return tuple(ProgramSettings(name=str(name), **plain(values)) for name, values in written.items())


def _check_phases(phases: Iterable[Iterable[Placed]], streams: Sequence[Stream], problems: Problems) -> None:
    known = {stream.name.casefold() for stream in streams}
    seen: set[str] = set()
    for name in [name for phase in phases for name in phase]:
        if name.casefold() not in known:
            problems.add(name, f"phases name {str(name)!r}, which is no stream")
        elif name.casefold() in seen:
            problems.add(name, f"phases name the stream {str(name)!r} twice")
        seen.add(name.casefold())
