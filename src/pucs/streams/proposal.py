"""Streams proposed from the directories of a repository, for ``pucs init`` where there is no configuration.

A first guess that a person reads and adjusts: it looks at names only, never into files.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from pucs.core.sources import TEST_DIRECTORIES, is_source, is_test
from pucs.streams.patterns import escape
from pucs.streams.records import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STREAMS_MAX: Final = 12
"""Most streams proposed: more than a person can oversee in one session."""
_SHARED_BELOW_PCT: Final = 1
"""A directory with less than this share of the source files stays shared."""
_SUBDIRECTORIES_MIN: Final = 3
"""A repository with one source directory is divided below it if it has so many parts."""
_AGENTS_BY_FILES: Final = ((40, 4), (10, 3), (0, 2))

_CONTAINERS: Final = frozenset({"src", "packages", "apps", "crates", "libs", "services", "projects"})
_FORBIDDEN_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")


def propose(files: Sequence[str]) -> tuple[Stream, ...]:
    """Return streams that divide the source files of a repository by directory, in the order of their names.

    Tests, documentation, configuration and small directories stay shared. Below ``src`` and its like the parts become
    streams, and so do those of a single package there. A repository without source directories gets one stream.
    """
    sources = [path for path in files if is_source(path)]
    parts = _parts(sources)
    if not parts:
        return _whole(files, sources)
    tests = [path for path in files if is_test(path)]
    names = _names(sorted(parts))
    return tuple(
        Stream(
            name=names[directory],
            description=f"Everything below {directory}/.",
            files_pattern=(escape(f"{directory}/"),),
            max_agents=next(agents for least, agents in _AGENTS_BY_FILES if parts[directory] >= least),
            test_pattern=tuple(_test_patterns(directory, tests)),
        )
        for directory in sorted(parts)
    )


def render(streams: Iterable[Stream]) -> str:
    """Return the text of a ``pucs.yaml`` with these streams and comments for whoever adjusts it."""
    lines = [
        "# Streams are parts of the code that agents change side by side; each has its own boundary.",
        "# Files of no stream are shared by all. Check your changes with: pucs config check",
        "",
    ]
    blocks = [_block(stream) for stream in streams]
    lines += ["streams:", *(line for block in blocks for line in block)] if blocks else ["streams: {}"]
    lines += [
        "",
        "# What else can be said here; each line shows an example:",
        "#   streams.NAME.dependencies: [lib]      merge after another stream",
        "# critical_files: [{path: settings.py, max_lock_duration_min: 30}]",
        "# generated: [uv.lock]                    files that need no lease",
        "# worktrees: {setup: make deps, copy: [.env]}",
        "# merge: {test_command: make test}        must pass before streams are merged",
    ]
    return "\n".join(lines) + "\n"


def _block(stream: Stream) -> list[str]:
    lines = [f"  {_quoted(stream.name)}:"]
    if stream.description:
        lines.append(f"    description: {_quoted(stream.description)}")
    lines.append(f"    files_pattern: {_list(stream.files_pattern)}")
    if stream.test_pattern:
        lines.append(f"    test_pattern: {_list(stream.test_pattern)}")
    lines.append(f"    max_agents: {stream.max_agents}")
    if stream.dependencies:
        lines.append(f"    dependencies: {_list(stream.dependencies)}")
    return lines


def _quoted(text: str) -> str:
    """Return a text as YAML reads it back; a plain word stays plain."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", text) and text.lower() not in _YAML_WORDS:
        return text
    return json.dumps(text.replace("$", "$$"), ensure_ascii=False)


_YAML_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(json.dumps(text.replace('$', '$$'), ensure_ascii=False) for text in texts)}]"


def _parts(sources: Sequence[str]) -> dict[str, int]:
    """Return the directories to make streams of, with the number of their source files."""
    parts = _below("", sources)
    for container in [directory for directory in parts if directory.lower() in _CONTAINERS]:
        inner = _divided(container, sources)
        if len(inner) == 1:
            inner = _divided(next(iter(inner)), sources) or inner
        if inner:
            del parts[container]
            parts |= inner
    if len(parts) == 1:
        inner = _divided(next(iter(parts)), sources)
        parts = inner if len(inner) >= _SUBDIRECTORIES_MIN else parts
    least = len(sources) * _SHARED_BELOW_PCT / 100
    large = sorted(((count, directory) for directory, count in parts.items() if count >= least), reverse=True)
    return {directory: count for count, directory in large[:STREAMS_MAX]}


def _divided(directory: str, sources: Sequence[str]) -> dict[str, int]:
    """Return the parts of a directory if they hold most of its source files; else nothing: it is one piece."""
    inner = _below(directory, sources)
    return (
        inner if sum(inner.values()) * 2 >= sum(path.startswith(f"{directory}/") for path in sources) else {}
    )


def _below(directory: str, sources: Iterable[str]) -> dict[str, int]:
    """Return the directories directly below one that hold source files at any depth, with how many."""
    start = f"{directory}/" if directory else ""
    counts: Counter[str] = Counter()
    for path in sources:
        if path.startswith(start):
            part, slash, _ = path[len(start) :].partition("/")
            if slash:
                counts[start + part] += 1
    return dict(counts)


def _whole(files: Sequence[str], sources: Sequence[str]) -> tuple[Stream, ...]:
    """Return the one stream of a repository without source directories."""
    if not files:
        return ()
    endings = sorted({path.rpartition(".")[2] for path in sources})
    patterns = tuple(f"*.{ending}" for ending in endings) or ("**",)
    heads = dict.fromkeys(path.split("/")[0] for path in files if "/" in path and is_test(path))
    tests = tuple(escape(f"{head}/") for head in heads if head.isprintable())
    return (
        Stream(
            name="main",
            description="The whole repository.",
            files_pattern=patterns,
            max_agents=2,
            test_pattern=tests,
        ),
    )


def _names(directories: Sequence[str]) -> dict[str, str]:
    """Return a stream name for each directory: its own name, with its parent's where two would be the same."""
    own = {directory: _name(directory.rpartition("/")[2]) for directory in directories}
    often = Counter(name.lower() for name in own.values())
    names: dict[str, str] = {}
    taken: set[str] = set()
    for directory in directories:
        name = own[directory] if often[own[directory].lower()] == 1 else _name(directory.replace("/", "-"))
        wanted, number = name, 2
        while name.lower() in taken or name.lower() == "all":
            name, number = f"{wanted}-{number}", number + 1
        taken.add(name.lower())
        names[directory] = name
    return names


def _name(text: str) -> str:
    return _FORBIDDEN_IN_NAME.sub("-", text).strip("-_")[:48] or "part"


def _test_patterns(directory: str, tests: Iterable[str]) -> list[str]:
    """Return patterns of the tests that seem to belong to a directory; each matches at least one."""
    name = directory.rpartition("/")[2].lower()
    spoken = re.compile(rf"(?i)(^|(?P<before>[_.-]))(?P<name>{re.escape(name)})(?=[_.-])")
    found: dict[str, None] = {}
    for path in tests:
        *above, file = path.split("/")
        if file.startswith("conftest."):
            continue
        at = next((at for at, part in enumerate(above) if part.lower() in TEST_DIRECTORIES), None)
        if path.startswith(f"{directory}/"):
            found[_inner_pattern(directory, above, at, file)] = None
        elif at is not None and name in [part.lower() for part in above[at + 1 :]]:
            deep = next(deep for deep, part in enumerate(above) if deep > at and part.lower() == name)
            found[escape("/".join(above[: deep + 1]) + "/")] = None
        elif at is not None and (word := spoken.search(file)):
            before = f"*{word['before']}" if word["before"] else ""
            ending = file.rpartition(".")[2]
            found[f"{escape('/'.join(above[: at + 1]))}/**/{before}{escape(word['name'])}*.{ending}"] = None
    return [pattern for pattern in found if pattern.isprintable()]


def _inner_pattern(directory: str, above: Sequence[str], at: int | None, file: str) -> str:
    """Return the pattern of a test inside the directory it tests."""
    if at is not None and at >= directory.count("/") + 1:
        return escape("/".join(above[: at + 1]) + "/")
    stem, _, ending = file.rpartition(".")
    if stem.startswith("test_"):
        return f"{escape(directory)}/**/test_*.{ending}"
    mark = next(mark for mark in ("_test", ".test", "-test", ".spec", "-spec") if stem.endswith(mark))
    return f"{escape(directory)}/**/*{mark}.{ending}"
