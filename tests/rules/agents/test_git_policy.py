"""Which uses of git are not for a launched agent, and which are for nobody."""

from __future__ import annotations

import pytest

from pucs.agents.git_policy import destroys, looks, put_back, refusal
from pucs.agents.shell import touched

OWN = "pucs/agent/a1-S1"


@pytest.mark.parametrize(
    "command",
    [
        "git status",
        "git add -A",
        "git commit -am 'work'",
        "git commit --amend --no-edit",
        "git log -p",
        "git merge pucs/stream/core-S1",
        "git rebase --abort",
        "git checkout -- core/a.py",
        "git checkout core/a.py",
        "git checkout HEAD~1 core/a.py",
        f"git checkout {OWN}",
        f"git switch -q {OWN}",
        "git restore core/a.py",
        "git branch",
        "git branch --list 'x*'",
        "git branch note",
        "git reset",
        "git reset --hard",
        "git reset --hard HEAD",
        "git reset --soft HEAD~1",
        "git stash list",
        "git worktree list",
        "git reflog",
        "git symbolic-ref HEAD",
        "git config --get user.name",
        "git config user.name",
        "git config --list",
        "git -c user.name=x commit -m y",
        "git remote -v",
        "git remote get-url origin",
        "git fetch",
        "git unheard-of --force",
    ],
)
def test_looking_and_committing_are_free(command: str) -> None:
    """What stays in the agent's own worktree and on its own branch is its own business."""
    assert [refusal(use, own_branch=OWN) for use in touched(command).git] == [""]


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        ("git push", "landing brings"),
        ("git push --force origin HEAD:main", "landing brings"),
        ("git switch main", "stays on its branch"),
        ("git switch -", "stays on its branch"),
        (f"git switch -c {OWN}", "stays on its branch"),
        ("git checkout main", "git checkout -- FILE"),
        ("git checkout -b mine", "git checkout -- FILE"),
        ("git checkout --detach", "git checkout -- FILE"),
        ("git branch -D main", "landing brings"),
        ("git branch -m other", "landing brings"),
        ("git branch -f main HEAD", "landing brings"),
        ("git reset --hard HEAD~3", "git revert"),
        ("git stash", "by a commit"),
        ("git stash pop", "by a commit"),
        ("git worktree add ../x", "your own worktree"),
        ("git update-ref refs/heads/main HEAD", "landing alone"),
        ("git symbolic-ref HEAD refs/heads/main", "stays on its branch"),
        ("git reflog expire --expire=now --all", "thrown away"),
        ("git gc --prune=now", "thrown away"),
        ("git prune", "thrown away"),
        ("git repack -ad", "owner of the repository"),
        ("git maintenance run", "owner of the repository"),
        ("git filter-branch --all", "rewritten"),
        ("git config core.hooksPath /dev/null", "git -c NAME=VALUE"),
        ("git config --unset user.name", "git -c NAME=VALUE"),
        ("git remote set-url origin x", "share it"),
        ("sudo git push", "landing brings"),
        ("cd core && git push", "landing brings"),
    ],
)
def test_what_reaches_beyond_the_worktree_is_refused_with_a_way_out(command: str, instead: str) -> None:
    """Remotes, other branches and what all worktrees share are not an agent's to change."""
    (found,) = [refusal(use, own_branch=OWN) for use in touched(command).git]
    assert found.startswith("git ")
    assert instead in found


@pytest.mark.parametrize(
    ("command", "victim"),
    [
        ("git push origin main", ""),
        ("git push --force origin main", ""),
        (f"git push origin {OWN}", ""),
        (f"git push -f origin {OWN}", OWN),
        (f"git push --force-with-lease=x origin HEAD:{OWN}", OWN),
        (f"git push origin +refs/heads/{OWN}", OWN),
        (f"git push origin :{OWN}", OWN),
        ("git push origin --delete refs/pucs/salvage/S1/a1/1", "refs/pucs/salvage/S1/a1/1"),
        ("git branch -D mine", ""),
        (f"git branch -D {OWN}", OWN),
        (f"git branch -v {OWN}", ""),
        (f"git branch --force {OWN} HEAD", OWN),
        (f"git update-ref -d refs/heads/{OWN}", OWN),
        (f"git checkout -B {OWN} main", OWN),
        (f"git switch -C {OWN}", OWN),
        (f"git switch {OWN}", ""),
        (f"git log {OWN}", ""),
    ],
)
def test_nobody_destroys_the_branches_that_work_is_on(command: str, victim: str) -> None:
    """A person's agent may do what its person may, but others' work stays."""
    (found,) = [destroys(use, {OWN}.__contains__) for use in touched(command).git]
    assert found == victim


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("git checkout -- a.py b.py", ("a.py", "b.py")),
        ("git checkout HEAD -- a.py", ("a.py",)),
        ("cd core && git checkout -- ./a.py", ("core/a.py",)),
        ("git -C core restore a.py", ("core/a.py",)),
        ("git restore --source=HEAD --staged --worktree /top/a.py", ("/top/a.py",)),
        ("git checkout main -- a.py", ()),
        ("git checkout --theirs -- a.py", ()),
        ("git restore --source=main a.py", ()),
        ("git restore -s main a.py", ()),
        ("git restore --source main a.py", ()),
        ("cd $X && git checkout -- a.py", ()),
        ("git rm a.py", ()),
    ],
)
def test_putting_back_what_the_last_commit_has_is_told_from_a_change(
    command: str, names: tuple[str, ...]
) -> None:
    """Whoever changed what others hold must be able to undo it."""
    (found,) = [put_back(use) for use in touched(command).git]
    assert found == names


def test_looking_is_told_from_changing() -> None:
    """In somebody else's checkout an agent may look."""
    found = {use.subcommand: looks(use) for use in touched("git log; git show x; git commit; git add x").git}
    assert found == {"log": True, "show": True, "commit": False, "add": False}
