"""What is known of a checkout's code is brought up to date by reading what nobody has read yet."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pucs.coordinator import indexing
from pucs.coordinator.indexing import indexed
from pucs.coordinator.ports import Index, Parsers, Sources
from pucs.coordinator.records import FactsKey, Parsed
from pucs.syntax.python_facts import python_facts
from pucs.syntax.reading import reader
from pucs.testing.sources import FakeIndex, FakeParsers, FakeSources, blob
from pucs.wiring import open_sources


@pytest.fixture
def sources() -> FakeSources:
    return FakeSources({
        "b.py": "import a\n",
        "a.py": "def f(): ...\n",
        "same/one.py": "",
        "same/two.py": "",
        "broken.py": "import a\n(",
        "data.json": "{}",
        "README.md": "# Read",
    })


def test_facts_of_every_source_file_come_sorted_by_path(sources: FakeSources) -> None:
    """Broken ones too, with their problem; other files have none."""
    found = indexed(sources, FakeIndex(), FakeParsers(sources))
    assert list(found) == ["a.py", "b.py", "broken.py", "same/one.py", "same/two.py"]
    assert found == {path: python_facts(sources.files[path]) for path in found}
    assert found["broken.py"].problem


def test_only_what_is_new_is_parsed_and_equal_files_once(sources: FakeSources) -> None:
    """Nothing the second time; after a change the changed file, wherever else its content was."""
    index = FakeIndex()
    parsers = FakeParsers(sources)
    first = indexed(sources, index, parsers)
    assert len(parsers.parsed_paths) == 4, "two files are equal"
    assert indexed(sources, index, FakeParsers(FakeSources({}))) == first
    sources.files |= {"b.py": b"import c\n", "moved.py": sources.files["a.py"]}
    del sources.files["a.py"]
    parsers.parsed_paths.clear()
    second = indexed(sources, index, parsers)
    assert parsers.parsed_paths == ["b.py"]
    assert second["moved.py"] == first["a.py"]
    assert second["b.py"] == python_facts(b"import c\n")


def test_damaged_rows_are_told_anew(sources: FakeSources) -> None:
    """Whatever is in the index under the name of a content, it is never taken for facts that it is not."""
    index = FakeIndex()
    first = indexed(sources, index, FakeParsers(sources))
    for key, data in (("a.py", b"\xc1"), ("b.py", b""), ("broken.py", b"\x80")):
        index.facts[FactsKey(reader(key), blob(sources.files[key]))] = data
    assert indexed(sources, index, FakeParsers(sources)) == first
    assert indexed(sources, index, FakeParsers(FakeSources({}))) == first


class Restless(FakeSources):
    """A checkout in which somebody edits ``same/one.py`` and removes ``a.py`` right after the listing."""

    def listing(self) -> dict[str, str]:
        """Return the files as they were a moment ago."""
        before = super().listing()
        self.files["same/one.py"] = b"import edited\n"
        del self.files["a.py"]
        return before


def test_files_that_change_meanwhile_are_kept_under_no_wrong_name(sources: FakeSources) -> None:
    """The edit shows up in this answer; the equal file beside it, and the next answer, are what they should be."""
    restless, index = Restless(sources.files), FakeIndex()
    found = indexed(restless, index, FakeParsers(restless))
    assert found["same/one.py"] == python_facts(b"import edited\n")
    assert found["same/two.py"] == python_facts(b"")
    assert "a.py" not in found
    assert indexed(sources, index, FakeParsers(sources))["same/one.py"] == python_facts(b"")


def test_progress_is_told_while_there_is_something_to_do(sources: FakeSources) -> None:
    """From nothing to all; when nothing has to be parsed, not a word."""
    index, heard = FakeIndex(), []
    indexed(sources, index, FakeParsers(sources), told=lambda done, all_: heard.append((done, all_)))
    assert heard == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    heard.clear()
    indexed(sources, index, FakeParsers(sources), told=lambda done, all_: heard.append((done, all_)))
    assert heard == []


class Interrupted(FakeParsers):
    """Parsers that are interrupted at their third file."""

    def parsed(self, root: str, files: Mapping[str, str]) -> Iterator[Parsed]:
        """Give two files."""
        for number, each in enumerate(super().parsed(root, files)):
            if number == 2:
                raise KeyboardInterrupt
            yield each


def test_what_an_interrupted_run_has_read_is_kept(
    sources: FakeSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run goes on from there."""
    monkeypatch.setattr(indexing, "KEPT_TOGETHER", 1)
    index = FakeIndex()
    with pytest.raises(KeyboardInterrupt):
        indexed(sources, index, Interrupted(sources))
    parsers = FakeParsers(sources)
    assert len(indexed(sources, index, parsers)) == 5
    assert len(parsers.parsed_paths) == 2


def test_a_listing_at_hand_is_not_made_again(sources: FakeSources) -> None:
    """Only what is in it is looked at."""
    listing = {"a.py": sources.listing()["a.py"]}
    assert list(indexed(sources, FakeIndex(), FakeParsers(sources), listing=listing)) == ["a.py"]


def test_no_source_at_all_is_an_answer() -> None:
    """A repository of texts has no facts."""
    sources = FakeSources({"README.md": "x", "Makefile": "all:"})
    assert indexed(sources, FakeIndex(), FakeParsers(sources)) == {}


@pytest.mark.git
@pytest.mark.process
def test_a_real_checkout_is_indexed_beside_its_store(make_repository: Callable[..., Path]) -> None:
    """Into one file below the git directory; nothing but that file is written."""
    files = {f"m{number}.py": f"import n{number}\n" for number in range(60)}
    root = make_repository(files=files)
    hands: tuple[Sources, Index, Parsers] = open_sources(root)
    found = indexed(*hands)
    assert found == {path: python_facts(text.encode()) for path, text in sorted(files.items())}
    assert [path.name for path in (root / ".git/pucs").iterdir() if path.suffix == ".db"] == ["index.db"]
    sources, index, _ = open_sources(root)
    assert indexed(sources, index, FakeParsers(FakeSources({}))) == found


@pytest.mark.git
def test_a_repository_of_bad_files_is_indexed_all_the_same(make_repository: Callable[..., Path]) -> None:
    """Whatever cannot be read in full has a problem; loops of links are not walked, and the next run reads nothing."""
    root = make_repository(files={"good.py": "import os\n", "empty.py": "", "package/__init__.py": "x = 1\n"})
    bad = {
        "python2.py": b"import good\nprint 'x'\n",
        "zero.py": b"import good\n\0",
        "binary.py": bytes(range(256)) * 40,
        "latin.py": b"import good\nx = '\xe9'\n",
        "deep.py": b"import good\nx = " + b"[" * 300 + b"]" * 300,
        "unary.py": b"import good\nx = " + b"~" * 50_000 + b"1",
        "edit.py": b"import good\n<<<<<<< ours\nx = 1\n=======\nx = 2\n>>>>>>> theirs\n",
        "notes.ipynb": b"not even JSON",
    }
    for name, content in bad.items():
        (root / name).write_bytes(content)
    (root / "loop").symlink_to(".")
    (root / "package/loop.py").symlink_to("loop.py")
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    sources, index, parsers = open_sources(root)
    found = indexed(sources, index, parsers)
    assert {path for path, facts in found.items() if facts.problem} == set(bad)
    assert set(found) == {*bad, "good.py", "empty.py", "package/__init__.py"}
    assert [path for path in bad if path.endswith(".py") and not found[path].imports] == ["binary.py"]
    assert sources.notes() == ("2 symlinks are not followed; what they lead to counts where it is.",)
    assert indexed(sources, index, FakeParsers(FakeSources({}))) == found
