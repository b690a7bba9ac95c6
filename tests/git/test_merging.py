"""Merges of two commits as git tells them, and trees with files put in their place."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.core.resources import ROOT, path_resource
from pucs.git import repository as repositories
from pucs.git.repository import GitRepository

pytestmark = pytest.mark.git

ODD_NAME = os.fsdecode(b"caf\xe9 \n\t::x\\y.txt")
LINES = "".join(f"{number}\n" for number in range(30))
OTHER = "".join(f"{number}\n" for number in range(100, 130))


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)
    return os.fsdecode(done.stdout).strip()


def save(root: Path) -> str:
    git(root, "add", "-A")
    git(root, "commit", "-qm", "change")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(make_repository: Callable[..., Path]) -> Path:
    found = make_repository(
        files={"a.txt": LINES, "b.txt": OTHER, "c.txt": LINES, "d.sh": LINES, ODD_NAME: LINES}
    )
    (found / "link").symlink_to("a.txt")
    (found / "d.sh").chmod(0o755)
    save(found)
    return found


def sides(root: Path, ours: Callable[[], None], theirs: Callable[[], None]) -> tuple[str, str]:
    """Return two commits that start from the same one."""
    base = git(root, "rev-parse", "HEAD")
    ours()
    one = save(root)
    git(root, "checkout", "-q", base)
    theirs()
    return one, save(root)


def test_files_that_conflict_in_lines_alone_are_told_by_their_versions(root: Path) -> None:
    """Each by its three blobs and its mode, under any name; what git merged by itself is told apart from it."""

    def change(word: str, at: str) -> Callable[[], None]:
        def apply() -> None:
            for name in ("a.txt", "d.sh", ODD_NAME):
                (root / name).write_text(LINES.replace("5\n", f"{word}\n", 1))
            (root / "b.txt").write_text(OTHER.replace(at, word))

        return apply

    ours, theirs = sides(root, change("x", "102"), change("y", "125"))
    repository = GitRepository.open(str(root))
    merged = repository.merge(ours, theirs)
    names = ["a.txt", "d.sh", ODD_NAME]
    assert merged.tree == ""
    assert set(merged.conflicts) == {each.path for each in merged.stages} == {path_resource(n) for n in names}
    assert merged.both == ("b.txt",)
    assert set(merged.troubles.values()) == {("contents",)}
    assert {each.path: each.mode for each in merged.stages} == {
        path_resource(name): "100755" if name == "d.sh" else "100644" for name in names
    }
    for each in merged.stages:
        base, one, other = repository.blobs([each.base, each.ours, each.theirs])
        assert (base or b"").replace(b"5\n", b"x\n", 1) == one
        assert (base or b"").replace(b"5\n", b"y\n", 1) == other
        (marked,) = repository.blobs([
            f"{merged.marked}:{dict(zip(map(path_resource, names), names, strict=True))[each.path]}"
        ])
        assert b"<<<<<<<" in (marked or b"")
    tree = repository.tree_replacing(
        merged.marked, {each.path: (each.mode, b"\xff\0new\n") for each in merged.stages}
    )
    listed = git(root, "ls-tree", "-r", "-z", tree).split("\0")
    assert {line.partition("\t")[2]: line.split()[0] for line in listed if line} == {
        **dict.fromkeys(["a.txt", "b.txt", "c.txt", ODD_NAME], "100644"),
        "d.sh": "100755",
        "link": "120000",
    }
    assert repository.blobs([f"{tree}:{name}" for name in names]) == [b"\xff\0new\n"] * len(names)


def test_what_is_more_than_lines_has_no_versions_to_merge(root: Path) -> None:
    """Deleted, renamed, of another mode, a symlink, added twice, binary: each is in conflict and told why."""

    def ours() -> None:
        (root / "a.txt").unlink()
        git(root, "mv", "b.txt", "moved.txt")
        (root / "moved.txt").write_text(OTHER.replace("105", "x"))
        (root / "c.txt").write_text(LINES.replace("5\n", "x\n", 1))
        (root / "c.txt").chmod(0o755)
        (root / "link").unlink()
        (root / "link").symlink_to("c.txt")
        (root / "new.txt").write_text("x\n")
        (root / "d.sh").write_bytes(b"\0x")

    def theirs() -> None:
        (root / "b.txt").write_text(OTHER.replace("105", "y"))
        for name in ("a.txt", "c.txt"):
            (root / name).write_text(LINES.replace("5\n", "y\n", 1))
        (root / "link").unlink()
        (root / "link").symlink_to("d.sh")
        (root / "new.txt").write_text("y\n")
        (root / "d.sh").write_bytes(b"\0y")

    merged = GitRepository.open(str(root)).merge(*sides(root, ours, theirs))
    assert merged.stages == ()
    assert set(merged.conflicts) == {"a.txt", "moved.txt", "c.txt", "link", "new.txt", "d.sh"}
    assert merged.troubles["a.txt"] == ("modify/delete",)
    assert set(merged.troubles) == set(merged.conflicts)


def test_a_clean_merge_tells_what_both_sides_changed(root: Path) -> None:
    """Files of one side alone are not among them."""

    def change(name: str, at: str) -> Callable[[], None]:
        def apply() -> None:
            (root / "a.txt").write_text(LINES.replace(at, "x\n"))
            (root / name).write_text("x\n")

        return apply

    merged = GitRepository.open(str(root)).merge(
        *sides(root, change("b.txt", "2\n3\n"), change("c.txt", "25\n"))
    )
    assert (merged.conflicts, merged.both, merged.stages, merged.marked) == ((), ("a.txt",), (), "")
    assert git(root, "cat-file", "-t", merged.tree) == "tree"
    assert ROOT not in merged.troubles


def test_blobs_that_are_missing_or_too_large_are_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name has its answer, in order, also under names with line breaks."""
    repository = GitRepository.open(str(root))
    names = ["HEAD:a.txt", "HEAD:gone\nat all.txt", "HEAD", f"HEAD:{ODD_NAME}", "HEAD:a.txt"]
    text = LINES.encode()
    assert repository.blobs(names) == [text, None, None, text, text]
    assert repository.blobs([]) == []
    monkeypatch.setattr(repositories, "CONTENT_BYTES_MAX", len(LINES) - 1)
    assert repository.blobs(names) == [None] * len(names)


def test_our_own_driver_leaves_what_is_beyond_lines_to_the_caller(root: Path) -> None:
    """Also where it is installed: a conflict stays one, a clean merge clean, and of a merge commit what it adds is told."""
    (root / ".git" / "info").mkdir(exist_ok=True)
    (root / ".git" / "info" / "attributes").write_text("*.txt merge=pucs\n")
    git(root, "config", "merge.pucs.driver", "echo by the driver >%A")

    def change(word: str, at: str) -> Callable[[], None]:
        def apply() -> None:
            (root / "a.txt").write_text(LINES.replace("5\n", f"{word}\n", 1))
            (root / "b.txt").write_text(OTHER.replace(at, word))

        return apply

    ours, theirs = sides(root, change("x", "102"), change("y", "125"))
    repository = GitRepository.open(str(root))
    merged = repository.merge(ours, theirs)
    assert ([each.path for each in merged.stages], merged.both) == (["a.txt"], ("b.txt",))
    both = OTHER.replace("102", "x").replace("125", "y").encode()
    marked, clean = repository.blobs([f"{merged.marked}:{name}" for name in ("a.txt", "b.txt")])
    assert clean == both
    assert marked is not None
    assert (b"\n<<<<<<< ours\n" in marked, b"\n>>>>>>> theirs\n" in marked) == (True, True)
    tree = repository.tree_replacing(merged.marked, {merged.stages[0].path: ("100644", b"by the driver\n")})
    commit = repository.commit(tree, [ours, theirs], "merged", author="a1")
    (facts,) = [each for each in repository.commits(ours, commit) if each.id == commit]
    assert "a.txt" in facts.paths
