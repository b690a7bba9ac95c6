"""Where a file lies and what is out there, told without starting git; git has the last word where the disk does not say."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.core.errors import Usage
from pucs.core.resources import Resource
from pucs.git import locations
from pucs.git.repository import GitRepository
from pucs.git.worktrees import GitWorktrees

pytestmark = pytest.mark.git


def git(*arguments: str, at: Path) -> str:
    """Run git and return what it printed."""
    return subprocess.run(
        ["git", *arguments], cwd=at, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def root(make_repository: Callable[..., Path]) -> Path:
    """Return a repository with a worktree beside it."""
    made = make_repository(files={"a.py": "a\n", ".gitignore": "*.log\n"})
    git("worktree", "add", "-q", "-b", "side", "../side", at=made)
    return made


def test_the_checkout_around_a_file_is_found_like_git_finds_it(root: Path, tmp_path: Path) -> None:
    """Nested repositories are told apart, an empty ``.git`` is none, and nothing needs to exist."""
    common, side = str(root / ".git"), root.parent / "side"
    (root / "fake/.git").mkdir(parents=True)
    git("init", "-q", str(root / "nested"), at=root)
    for place, name, expected in (
        (root, "a.py", (str(root), True, False)),
        (root, "no/such/file", (str(root), True, False)),
        (root, "fake/x.py", (str(root), True, False)),
        (root, ".git/HEAD", (str(root), True, True)),
        (root, "nested/x.py", (str(root / "nested"), False, False)),
        (root, "nested/.git/HEAD", (str(root / "nested"), False, False)),
        (side, "../side/a.py", (str(side), True, False)),
        (side, ".git", (str(side), True, True)),
        (side, str(root / ".git/worktrees/side/HEAD"), (str(root), True, True)),
        (tmp_path, "x", ("", False, False)),
    ):
        found = locations.locate(common, str(place), name)
        assert (found.checkout, found.ours, found.internal) == expected, name
    assert locations.locate(common, str(root), "fake/..").path == str(root)
    with pytest.raises(Usage):
        locations.locate(common, "relative", "a.py")


def test_the_branch_is_read_where_the_disk_says_it(root: Path) -> None:
    """Detached is no branch; where refs are kept otherwise, git is asked."""
    side = root.parent / "side"
    worktrees = GitWorktrees.open(str(root))
    assert (worktrees.branch(str(root)), worktrees.branch(str(side))) == ("main", "side")
    git("switch", "-q", "--detach", at=side)
    if (root / ".git/reftable").exists():
        pytest.skip("this git keeps refs as reftables, and the disk says nothing")
    assert locations.branch(str(side)) == worktrees.branch(str(side)) == ""
    head = root / ".git/HEAD"
    head.write_text("ref: refs/heads/.invalid\n")
    assert locations.branch(str(root)) is None
    head.unlink()
    head.symlink_to("refs/heads/main")
    assert locations.branch(str(root)) is None
    assert worktrees.branch(str(root)) == "main"


def test_what_git_ignores_and_what_is_being_merged_is_told(root: Path) -> None:
    """A tracked file is never ignored."""
    worktrees = GitWorktrees.open(str(root))
    (root / "kept.log").write_text("x\n")
    git("add", "-f", "kept.log", at=root)
    names = [Resource(name) for name in ("a.py", "run.log", "kept.log", "new/run.log", "new.py")]
    assert worktrees.ignored(str(root), names) == {"run.log", "new/run.log"}
    assert worktrees.ignored(str(root), []) == set()
    assert not worktrees.merging(str(root))
    (root / ".git/MERGE_HEAD").write_text("0" * 40 + "\n")
    assert worktrees.merging(str(root))


def test_an_ordinary_repository_is_known_without_git(root: Path) -> None:
    """Whatever is out of the ordinary is left to git."""
    common = str(root / ".git")
    known, opened = GitRepository.known(common), GitRepository.open(str(root))
    assert known is not None
    assert (known.root, known.common_dir) == (opened.root, opened.common_dir)
    assert GitRepository.known(str(root / ".git/worktrees/side")) is None
    assert GitRepository.known(str(root / "no/.git")) is None
    for line in ("[core]\n\tbare = true\n", "[core]\n\tworktree = ../x\n", "[include]\n\tpath = x\n"):
        before = (root / ".git/config").read_text()
        (root / ".git/config").write_text(before + line)
        assert GitRepository.known(common) is None, line
        (root / ".git/config").write_text(before)
