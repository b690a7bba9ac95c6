"""Repositories that keep objects or refs in another way than most: nothing of ours may look at the files behind them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pucs.core.errors import GitError
from pucs.core.resources import path_resource
from pucs.git.past_merges import GitPastMerges
from pucs.git.repository import GitRepository
from pucs.git.worktrees import GitWorktrees

pytestmark = pytest.mark.git


def git(*arguments: str, at: Path) -> str:
    """Run git and return what it printed."""
    return subprocess.run(
        ["git", *arguments], cwd=at, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(params=["--object-format=sha256", "--ref-format=reftable"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a repository of this format with one commit."""
    place = tmp_path / "repository"
    made = subprocess.run(
        ["git", "init", "-q", "-b", "main", request.param, place], capture_output=True, text=True, check=False
    )
    if "unknown option" in made.stderr:
        pytest.skip(f"this git has no {request.param}")
    (place / "a.txt").write_text("1\n2\n3\n4\n5\n")
    git("add", ".", at=place)
    git("commit", "-qm", "First", at=place)
    return place


def test_an_agents_work_is_committed_merged_and_found_again(root: Path, tmp_path: Path) -> None:
    """Worktree, branch, commit, merge, refs and the replay of past merges."""
    repository, worktrees = GitRepository.open(str(root)), GitWorktrees.open(str(root))
    first, branch = repository.head()
    assert branch == "main"
    tips = []
    for agent, line in (("one", "1"), ("two", "5")):
        path = str(tmp_path / agent)
        worktrees.create(path, f"pucs/{agent}", first)
        assert worktrees.branch(path) == f"pucs/{agent}"
        file = Path(path, "a.txt")
        file.write_text(file.read_text().replace(line, agent))
        assert worktrees.dirty(path) == ["a.txt"]
        tips.append(str(worktrees.commit(path, agent, author=agent)))
        assert repository.checkout_of(f"pucs/{agent}") == path
    merged = repository.merge(*tips)
    assert merged.conflicts == ()
    both = repository.commit(merged.tree, tips, "Both", author="one")
    assert repository.content(both, path_resource("a.txt")) == b"one\n2\n3\n4\ntwo\n"
    assert repository.move_ref("refs/heads/main", both, first)
    assert not repository.move_ref("refs/heads/main", both, first)
    assert repository.refs("refs/heads/")["refs/heads/main"] == both
    assert [facts.id for facts in repository.commits(first, both)][-1] == both
    past = GitPastMerges.open(str(root))
    assert next(past.again(past.listing(after="", beyond="", merges_max=9), lambda _: True)) == past.one(both)


@pytest.mark.parametrize("root", ["--ref-format=reftable"], indirect=True)
def test_a_lock_of_all_refs_that_a_killed_git_left_is_removed_once_it_is_old(
    root: Path, tmp_path: Path
) -> None:
    """One of the repository while a ref is moved; one of an agent's worktree, and both, when its agent is gone."""
    shared = root / ".git/reftable/tables.list.lock"
    repository, worktrees = GitRepository.open(str(root)), GitWorktrees.open(str(root))
    first = repository.head()[0]
    path = str(tmp_path / "one")
    worktrees.create(path, "pucs/one", first)
    own = Path(git("rev-parse", "--absolute-git-dir", at=Path(path)), "reftable/tables.list.lock")
    shared.touch()
    assert worktrees.clear_stale_locks(path) == []
    with pytest.raises(GitError, match="cannot move") as young:
        repository.move_ref("refs/heads/x", first, None)
    assert "try again in 10 s" in young.value.remedy
    os.utime(shared, (1, 1))
    assert repository.move_ref("refs/heads/x", first, None)
    for lock in (own, shared):
        lock.touch()
    with pytest.raises(GitError, match="git is at work"):
        worktrees.clear_stale_locks(path)
    for lock in (own, shared):
        os.utime(lock, (1, 1))
    assert worktrees.clear_stale_locks(path) == [str(own), str(shared)]
