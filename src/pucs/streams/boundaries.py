"""Which stream covers which file, and when somebody reaches into another's part.

Only a path that *another* stream covers is out of bounds (DESIGN §2): files of no stream are shared, and generated
files belong to nobody. Patterns are compiled once; a path is tried only against streams whose patterns can begin with
its first segment, so that a hundred thousand files against twenty streams take about a second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.core.resources import file_path, is_directory, is_named
from pucs.streams.patterns import compile_pattern, matches, may_match_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.streams.records import Stream
    from pucs.streams.settings import Configuration


@dataclass(frozen=True, slots=True)
class Coverage:
    """How files divide among streams; generated files appear only where exactly one stream covers them."""

    by_stream: dict[str, tuple[str, ...]]
    """Files of each stream, every configured stream present."""
    overlaps: tuple[tuple[str, tuple[str, ...]], ...]
    """Files that more than one stream covers, with those streams."""
    uncovered: tuple[str, ...]
    """Files of no stream: shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Two patterns of two streams that cover the same files: a mistake in the configuration."""

    source: str
    path: str
    """The first such file."""
    count: int
    """How many there are."""
    streams: tuple[str, str]
    patterns: tuple[str, str]
    lines: tuple[int, int]
    """Where the patterns stand; 0: unknown."""

    def __str__(self) -> str:
        """One message that names the file, both streams and where to look."""
        at = f"{self.source or 'configuration'}{f':{self.lines[1]}' if self.lines[1] else ''}"
        (one, two), (first, second) = self.streams, self.patterns
        line = f" in line {self.lines[0]}" if self.lines[0] else ""
        more = f" and {self.count - 1} more files" if self.count > 1 else ""
        return (
            f"{at}: {self.path!r}{more} would be in two streams: {two!r} by {second!r} and {one!r} by {first!r}{line}; "
            "a file belongs to one stream, so narrow one of the patterns"
        )


_Compiled = tuple[str, re.Pattern[str]]


class Boundaries:
    """The partition of a repository among streams, ready to be asked."""

    def __init__(self, streams: Iterable[Stream], generated: Iterable[str] = ()) -> None:
        """Compile the patterns of the streams and of generated files.

        Raises:
            Usage: a pattern cannot be meant.
        """
        self._streams = tuple(streams)
        self._generated = _union(tuple(generated))
        self._elsewhere: list[_Compiled] = []
        reach = [_heads(stream.files_pattern) for stream in self._streams]
        heads = {head for known in reach for head in known or ()}
        self._by_head: dict[str, list[_Compiled]] = {head: [] for head in heads}
        for stream, known in zip(self._streams, reach, strict=True):
            regex = _union(stream.files_pattern)
            if regex is None:
                continue
            for head in heads if known is None else known:
                self._by_head[head].append((stream.name, regex))
            if known is None:
                self._elsewhere.append((stream.name, regex))

    def owners(self, path: str) -> tuple[str, ...]:
        """Return every stream that covers a real path, in configured order; more than one is a mistake."""
        candidates = self._by_head.get(path.partition("/")[0], self._elsewhere)
        return tuple([name for name, regex in candidates if regex.fullmatch(path)])

    def owner(self, path: str) -> str | None:
        """Return the first stream that covers a real path; None: it is shared."""
        return next(iter(self.owners(path)), None)

    def generated(self, path: str) -> bool:
        """Tell whether a real path is declared as generated, and so needs no lease."""
        return self._generated is not None and self._generated.fullmatch(path) is not None

    def crossed(self, resource: str, stream: str) -> str | None:
        """Return the other stream that an agent of ``stream`` would reach into with a canonical resource.

        A directory reaches into every stream that may cover something below it. An agent without a stream crosses
        nothing (DESIGN §5).
        """
        if not stream or is_named(resource):
            return None
        path, own = file_path(resource), stream.casefold()
        if is_directory(resource):
            others = [other for other in self._streams if other.name.casefold() != own]
            return next((other.name for other in others if _may_cover_below(other, path)), None)
        owners = self.owners(path)
        if not owners or self.generated(path) or own in [owner.casefold() for owner in owners]:
            return None
        return owners[0]

    def coverage(self, files: Iterable[str]) -> Coverage:
        """Divide files among the streams."""
        by_stream: dict[str, list[str]] = {stream.name: [] for stream in self._streams}
        overlaps: list[tuple[str, tuple[str, ...]]] = []
        uncovered: list[str] = []
        for path in files:
            owners = self.owners(path)
            if len(owners) == 1:
                by_stream[owners[0]].append(path)
            elif self.generated(path):
                continue
            elif owners:
                overlaps.append((path, owners))
            else:
                uncovered.append(path)
        divided = {name: tuple(paths) for name, paths in by_stream.items()}
        return Coverage(divided, tuple(overlaps), tuple(uncovered))


def check_overlaps(configuration: Configuration, files: Iterable[str]) -> list[Overlap]:
    """Return a problem for each pair of patterns by which two streams cover the same files."""
    streams = {stream.name: stream for stream in configuration.streams}
    found: dict[tuple[tuple[str, int], tuple[str, int]], list[str]] = {}
    for path, owners in Boundaries(configuration.streams, configuration.generated).coverage(files).overlaps:
        ways = [(name, _first_match(streams[name].files_pattern, path)) for name in owners]
        found.setdefault((ways[0], ways[1]), []).append(path)
    return [
        Overlap(
            source=configuration.source,
            path=paths[0],
            count=len(paths),
            streams=(one[0], two[0]),
            patterns=(streams[one[0]].files_pattern[one[1]], streams[two[0]].files_pattern[two[1]]),
            lines=(_line(streams[one[0]], one[1]), _line(streams[two[0]], two[1])),
        )
        for (one, two), paths in found.items()
    ]


def _union(patterns: Sequence[str]) -> re.Pattern[str] | None:
    if not patterns:
        return None
    return re.compile("|".join(compile_pattern(pattern).regex for pattern in patterns))


def _heads(patterns: Sequence[str]) -> frozenset[str] | None:
    """Return the first segments these patterns can match; None: any."""
    heads = [compile_pattern(pattern).heads for pattern in patterns]
    return frozenset().union(*heads) if all(heads) else None


def _may_cover_below(stream: Stream, directory: str) -> bool:
    return any(may_match_below(pattern, directory) for pattern in stream.files_pattern)


def _first_match(patterns: Sequence[str], path: str) -> int:
    return next(at for at, pattern in enumerate(patterns) if matches(pattern, path))


def _line(stream: Stream, at: int) -> int:
    return stream.pattern_lines[at] if at < len(stream.pattern_lines) else 0
