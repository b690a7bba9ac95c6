"""What is allowed in a configuration but probably not meant, seen against the files of the repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.streams.boundaries import Boundaries
from pucs.streams.dependencies import streams_meant
from pucs.streams.patterns import matches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.streams.records import Stream
    from pucs.streams.settings import Configuration


def advice(configuration: Configuration, files: Sequence[str]) -> list[str]:
    """Return one sentence for each pattern that matches nothing and each dependency that names nothing."""
    said: list[str] = []
    folders = {path[:at] for path in files for at in range(len(path)) if path[at] == "/"}
    known = {*files, *folders}
    coverage = Boundaries(configuration.streams, configuration.generated).coverage(files)
    for stream in configuration.streams:
        covered = coverage.by_stream[stream.name]
        if not covered:
            said.append(f"{_at(configuration, stream)}: the stream {stream.name!r} has no files yet")
        said += [
            f"{_at(configuration, stream)}: {key} of {stream.name!r}: {pattern!r} matches no file"
            for key, patterns in (
                ("test_pattern", stream.test_pattern),
                ("critical_files", stream.critical_files),
            )
            for pattern in patterns
            if not any(matches(pattern, path) for path in files)
        ]
        said += [
            f"{_at(configuration, stream)}: {stream.name!r} depends on {entry!r}, which is no stream and no path"
            for entry in stream.dependencies
            if not streams_meant(entry, configuration.streams)
            and not known.intersection((entry.strip("/"), f"{entry.strip('/')}.py"))
        ]
    said += [
        f"{configuration.source}: critical_files: {file.path!r} matches no file"
        for file in configuration.critical_files
        if not any(matches(file.path, path) for path in files)
    ]
    return said


def _at(configuration: Configuration, stream: Stream) -> str:
    return (
        f"{configuration.source}:{stream.pattern_lines[0]}" if stream.pattern_lines else configuration.source
    )
