"""The records of the room: what an analysis finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Risk(StrEnum):
    """How much a change of a critical file endangers work elsewhere."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class Method(StrEnum):
    """How a division into streams was found."""

    DIRECTORIES = "directories"
    """By where files lie, large directories divided further."""
    IMPORTS = "imports"
    """By who imports whom (communities), with a pull towards common directories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A part of the repository as its directories show it: a top-level package, or one below ``src``."""

    path: str
    """Directory, without a slash at the end; a single file at the root is its own module."""
    files: int
    lines: int
    independence_pct: int
    """100 * imports that stay inside / all imports of repository files that its files make; 100 where it makes none."""
    layer: int
    """From 0: imports nothing above it; cycles are cut at their lightest edges first."""
    imports: tuple[str, ...]
    """Modules that it imports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """An import between modules against the layers, set aside so that layers exist."""

    importer: str
    imported: str
    weight: int
    """Edges from file to file that it stands for."""
    examples: tuple[tuple[str, int, str], ...]
    """Importing file, line, imported file; at most three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalFile:
    """A file that many parts of the code rely on."""

    path: str
    risk: Risk
    users: tuple[str, ...]
    """Files that use something defined in it, through re-exports too; tests apart."""
    tests: tuple[str, ...]
    """Test files that do."""
    streams: tuple[str, ...]
    """Streams, or modules where there are none, that its users belong to."""
    changes: int
    """Commits of the history looked at that changed it."""
    score: float
    """See ``critical.critical_files``; compares files of one repository."""
    reason: str
    """Why it is listed, in a clause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """One proposed stream."""

    name: str
    files: tuple[str, ...]
    """Paths that it owns, sorted."""
    files_pattern: tuple[str, ...]
    """Glob patterns that match exactly those of the repository's files."""
    description: str
    dependencies: tuple[str, ...]
    """Streams that it imports, sorted; of a circle only the heavier direction, see ``Proposal.circles``."""
    test_pattern: tuple[str, ...]
    independence_pct: int
    team_size: int
    """Agents that find separate work in it, by its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One way to divide the repository into streams."""

    method: Method
    streams: tuple[StreamPlan, ...]
    phases: tuple[tuple[str, ...], ...]
    """Order of merging: streams of one phase do not depend on each other."""
    shared: tuple[str, ...]
    """Files set aside because streams all over the repository use them."""
    uncovered: tuple[str, ...]
    """Source files that are in no stream and not shared."""
    cut_pct: float
    """Edges between different streams, of all edges between files in streams."""
    locality_pct: float | None
    """Commits, of those that change several source files, that stay in one stream but for shared files; None: too few to say.

    Where the division learnt from the history, of the newest commits, as it was without having seen them."""
    commits: int
    """How many commits that is of; the same for each proposal."""
    circles: tuple[tuple[str, str], ...]
    """Dependencies left out because the other direction is heavier: who, on whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What an existing configuration says of a stream, against what its files import."""

    stream: str
    declared: tuple[str, ...]
    missing: tuple[tuple[str, int], ...]
    """Streams that it imports and does not declare, with the number of edges."""
    unused: tuple[str, ...]
    """Streams that it declares and does not import."""
