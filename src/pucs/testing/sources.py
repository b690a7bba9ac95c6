"""A checkout, an index and parsers that exist only in memory, for tests of what looks at code."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pucs.coordinator.records import FactsKey, Parsed
from pucs.syntax.packing import packed
from pucs.syntax.reading import facts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


class FakeSources:
    """A checkout with these files (``coordinator.ports.Sources``)."""

    root = "/checkout"

    def __init__(
        self, files: Mapping[str, str | bytes], history: Sequence[tuple[int, tuple[str, ...]]] = ()
    ) -> None:
        self.files = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        self.commits = list(history)
        """Newest first."""

    def listing(self) -> dict[str, str]:
        """Return the files with their blob ids."""
        return {path: blob(content) for path, content in sorted(self.files.items())}

    def notes(self) -> tuple[str, ...]:
        """Nothing is left out."""
        return ()

    def newest(self) -> str:
        """Return a word for the history."""
        return str(len(self.commits))

    def read(self, path: str) -> bytes | None:
        """Return what a file holds."""
        return self.files.get(path)

    def history(self, commits_max: int) -> list[tuple[int, tuple[str, ...]]]:
        """Return the newest commits."""
        return self.commits[:commits_max]


class FakeIndex:
    """Keeps facts in memory (``coordinator.ports.Index``)."""

    def __init__(self) -> None:
        self.facts: dict[FactsKey, bytes] = {}

    def kept(self, keys: Collection[FactsKey]) -> dict[FactsKey, bytes]:
        """Return what is kept."""
        return {key: self.facts[key] for key in keys if key in self.facts}

    def keep(self, facts: Mapping[FactsKey, bytes]) -> None:
        """Keep these as well."""
        self.facts.update(facts)

    def trouble(self) -> str:
        """All is well."""
        return ""


class FakeParsers:
    """Parses the files of a ``FakeSources`` in this process (``coordinator.ports.Parsers``)."""

    def __init__(self, sources: FakeSources) -> None:
        self._sources = sources
        self.parsed_paths: list[str] = []
        """What was parsed so far."""

    def parsed(self, root: str, files: Mapping[str, str]) -> Iterator[Parsed]:  # noqa: ARG002 - there is one checkout
        """Give the facts of files."""
        for path, asked in files.items():
            self.parsed_paths.append(path)
            content = self._sources.read(path)
            told = None if content is None else facts(path, content)
            if content is None or told is None:
                yield Parsed(path, b"", lasting=False)
            else:
                yield Parsed(path, packed(told), blob(content) == asked)


def blob(content: bytes) -> str:
    """Return git's name for a content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
