"""Finds paths of somebody's home directory in code and configuration: true on one machine, for one checkout only."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from pucs.code.readiness.likeness import ASIDE
from pucs.code.readiness.records import Finding, Kind, Location, finding, named
from pucs.core.severities import Severity
from pucs.core.sources import TEST_DIRECTORIES, is_code, is_test
from pucs.syntax.bodies import literals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE_BYTES_MAX: Final = 1_000_000
"""Larger files are data or generated."""
_HOME: Final = rb"(?:(?<![\w./-])/(?:home|Users)/|(?<!\w)[A-Za-z]:[\\/]{1,2}Users[\\/]{1,2})([A-Za-z][\w.-]*)(?=[/\\]+\w)"
_IN_BYTES: Final = re.compile(_HOME)
_IN_TEXT: Final = re.compile(_HOME.decode())
_ENDINGS: Final = (
    ".json",
    ".yaml",
    ".yml",
    ".toml",
    ".ini",
    ".cfg",
    ".conf",
    ".env",
    ".service",
    ".bat",
    ".ps1",
    ".bash",
    ".zsh",
)
_NOBODY: Final = frozenset({
    "account", "admin", "agent", "alice", "app", "appuser", "asdf", "bar", "bob", "builder", "circleci", "claude", "codespace",
    "default", "dev", "developer", "django", "docker", "example", "foo", "gitpod", "guest", "home", "ignored", "jane", "jenkins",
    "joe", "john", "jovyan", "linuxbrew", "me", "myuser", "name", "node", "nobody", "pi", "postgres", "public", "root", "runner",
    "runneradmin", "shared", "someone", "somebody", "someuser", "test", "tester", "testuser", "travis", "ubuntu", "user",
    "user1", "username", "vagrant", "vscode", "work", "you", "your", "your-name", "your-user", "your-username", "your_name",
    "your_user", "your_username", "yourname", "youruser", "yourusername", "...", "xxx",
})  # fmt: skip
"""Names that stand for anybody, or belong to containers and build machines."""
_CONTAINERS: Final = re.compile(
    r"(?:.*/)?(?:\.devcontainer|\.github|docker|deploy)/|.*compose.*\.ya?ml$|.*dockerfile.*", re.IGNORECASE
)
_COMMENT: Final = (b"#", b"//", b"*", b"<!--", b";", b"--")


def may_name_homes(path: str) -> bool:
    """Tell whether a file is code or configuration that is carried out as it stands; what runs in containers is not."""
    *directories, name = path.lower().split("/")
    if _CONTAINERS.match(path) or any(part in ASIDE for part in directories):
        return False
    return is_code(path) or name.endswith(_ENDINGS) or name.startswith(".env")


def homes_named(path: str, source: bytes) -> list[tuple[str, int]]:
    """Return the home directories that a file names, with lines; what documentation and comments say does not count."""
    if len(source) > FILE_BYTES_MAX or not any(word in source for word in (b"/home/", b"Users")):
        return []
    if not _IN_BYTES.search(source):
        return []
    if path.endswith(".py"):
        found = [(match, line) for line, match in literals(source, _IN_TEXT)]
    else:
        found = [
            (match[0].decode("utf-8", "replace"), number)
            for number, text in enumerate(source.split(b"\n"), start=1)
            if (match := _IN_BYTES.search(text)) and not text.lstrip().startswith(_COMMENT)
        ]
    return [(home, line) for home, line in found if re.split(r"[/\\]+", home)[-1].lower() not in _NOBODY]


def home_paths(named_in: Iterable[tuple[str, str, int]]) -> Iterator[Finding]:
    """Give one finding for each home directory; takes file, directory and line of every mention."""
    places: defaultdict[str, list[Location]] = defaultdict(list)
    for path, home, line in named_in:
        places[home].append(Location(path, line))
    for home, found in sorted(places.items()):
        found.sort(key=lambda place: (_aside(place.file), place))
        files = sorted({place.file for place in found})
        working = [path for path in dict.fromkeys(place.file for place in found) if not _aside(path)]
        if not working:
            continue  # what tests alone name is made up
        yield finding(
            Kind.HOME_PATH,
            Severity.MEDIUM,
            (home, *files),
            f"{named(working)} {'name' if len(working) > 1 else 'names'} {home}, a home directory: "
            f"{len(found)} places that work on one machine only, and that lead out of every other checkout.",
            found,
            f"Replace {home}/… by paths relative to the repository, or by a variable of the environment, in {named(files)}.",
            weight=len(found),
        )


def _aside(path: str) -> bool:
    return is_test(path) or any(part.lower() in TEST_DIRECTORIES for part in path.split("/"))
