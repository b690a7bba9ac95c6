"""Merges of a repository's history made again, against real git: everything is told and nothing is written."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.coordinator.past import LeftOut, PastConflict, PastMerge, Reason
from pucs.core.errors import GitError, NotFound
from pucs.git.past_merges import GitPastMerges

pytestmark = pytest.mark.git

Make = Callable[..., Path]
ODD_NAME = os.fsdecode(b"caf\xe9 \n\t::x\\y.py")


def git(root: Path, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, check=False, capture_output=True, text=True, errors="replace"
    )
    assert done.returncode in ok, done.stderr
    return done.stdout.strip()


def merged(root: Path, ours: dict[str, str], theirs: dict[str, str], result: dict[str, str | None]) -> str:
    """Change files on two branches, merge them, commit this in their place, and return the merge."""
    for branch, files in (("side", theirs), ("main", ours)):
        git(root, "checkout", "-q", *(("-B", "side") if branch == "side" else ("main",)))
        for path, text in files.items():
            (root / path).write_text(text)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", branch)
    git(root, "merge", "-q", "--no-commit", "side", ok=(0, 1))
    for path, content in result.items():
        if content is None:
            (root / path).unlink()
        else:
            (root / path).write_text(content)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "merge")
    return git(root, "rev-parse", "HEAD")


def told(root: Path, **bounds: str) -> list[PastMerge | PastConflict | LeftOut]:
    """Make all merges again."""
    past = GitPastMerges.open(str(root))
    merges = past.listing(after=bounds.get("after", ""), beyond=bounds.get("beyond", ""), merges_max=100)
    return list(past.again(merges, lambda _path: True))


def conflicts(root: Path) -> list[PastConflict]:
    return [one for one in told(root) if isinstance(one, PastConflict)]


def left_out(root: Path) -> dict[str, Reason]:
    return {one.path: one.reason for one in told(root) if isinstance(one, LeftOut)}


def objects(root: Path) -> set[str]:
    return {str(path) for path in (root / ".git").rglob("*")}


def test_a_conflict_comes_with_its_versions_and_what_became_of_it(make_repository: Make) -> None:
    """Whatever the file is called; a merge without conflicts is there without files; nothing is written."""
    root = make_repository(files={ODD_NAME: "a = 1\n", "other.py": "x = 1\n"})
    first = merged(root, {ODD_NAME: "a = 2\n"}, {ODD_NAME: "a = 3\n"}, {ODD_NAME: "a = 5\n"})
    second = merged(root, {"other.py": "x = 2\n"}, {"new.py": "y = 1\n"}, {})
    before = objects(root)
    found = told(root)
    assert [one.commit for one in found if isinstance(one, PastMerge)] == [second, first]
    [conflict] = [one for one in found if isinstance(one, PastConflict)]
    assert (conflict.merge.commit, conflict.path) == (first, ODD_NAME)
    assert (conflict.base, conflict.ours, conflict.theirs) == (b"a = 1\n", b"a = 2\n", b"a = 3\n")
    assert conflict.committed == b"a = 5\n"
    assert conflict.conflicts == 1
    assert conflict.merged == b"<<<<<<< ours\na = 2\n=======\na = 3\n>>>>>>> theirs\n"
    assert objects(root) == before


def test_what_both_sides_added_has_no_base(make_repository: Make) -> None:
    """Two files of one name, neither there before."""
    root = make_repository()
    merged(root, {"new.py": "a = 1\n"}, {"new.py": "b = 1\n"}, {"new.py": "a = b = 1\n"})
    [conflict] = conflicts(root)
    assert conflict.base is None
    assert conflict.blobs[0] == ""


def test_merge_drivers_and_settings_take_no_part(
    make_repository: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that settles everything, set up in the repository and for the person, hides no conflict."""
    root = make_repository(files={"a.py": "a = 1\n"})
    merged(root, {"a.py": "a = 2\n"}, {"a.py": "a = 3\n"}, {"a.py": "a = 4\n"})
    (root / ".git/info").mkdir(exist_ok=True)
    (root / ".git/info/attributes").write_text("*.py merge=mine\n")
    git(root, "config", "merge.mine.driver", "true")
    home = root.parent / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[merge "mine"]\n\tdriver = true\n[merge]\n\tconflictStyle = diff3\n[core]\n\tattributesFile = {home}/a\n'
    )
    (home / "a").write_text("*.py merge=mine\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    [conflict] = conflicts(root)
    assert b"|||||||" not in conflict.merged


def test_what_cannot_be_compared_is_counted_with_its_reason(make_repository: Make) -> None:
    """Files deleted on a side or by people, binary or huge ones, symlinks, and markers that people committed."""
    names = ("gone", "binary", "huge", "marked", "dropped", "link")
    root = make_repository(files=dict.fromkeys(names, "1\n"))
    git(root, "checkout", "-q", "-b", "side")
    for side, letter in (("side", "2"), ("main", "3")):
        git(root, "checkout", "-q", side)
        (root / "gone").write_text(letter) if letter == "2" else (root / "gone").unlink()
        (root / "binary").write_text(f"\0{letter}\n")
        (root / "huge").write_text(letter * 1_000_001)
        (root / "marked").write_text(letter)
        (root / "dropped").write_text(letter)
        (root / "link").unlink()
        (root / "link").symlink_to(letter)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", side)
    git(root, "merge", "-q", "side", ok=(1,))
    git(root, "rm", "-q", "--cached", "dropped")
    (root / "dropped").unlink()
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "merge")
    assert left_out(root) == {
        "gone": Reason.DELETED,
        "binary": Reason.BINARY,
        "huge": Reason.LARGE,
        "marked": Reason.MARKERS,
        "dropped": Reason.GONE,
        "link": Reason.KIND,
    }


def test_the_same_versions_are_given_once(make_repository: Make) -> None:
    """A merge that was made twice, on two branches, counts once."""
    root = make_repository(files={"a.py": "a = 1\n"})
    merge = merged(root, {"a.py": "a = 2\n"}, {"a.py": "a = 3\n"}, {"a.py": "a = 4\n"})
    again = git(
        root, "commit-tree", "-p", f"{merge}^1", "-p", f"{merge}^2", "-m", "again", f"{merge}^{{tree}}"
    )
    git(root, "update-ref", "refs/heads/again", again)
    assert len(conflicts(root)) == 1
    assert left_out(root) == {"a.py": Reason.REPEATED}


def test_merges_can_be_bounded(make_repository: Make) -> None:
    """By a time, by a revision that has them, and by name; merges of three commits are none of two."""
    root = make_repository(files={"a.py": "a = 1\n"})
    first = merged(root, {"a.py": "a = 2\n"}, {"a.py": "a = 3\n"}, {"a.py": "a = 4\n"})
    second = merged(root, {"a.py": "a = 5\n"}, {"a.py": "a = 6\n"}, {"a.py": "a = 7\n"})
    octopus = git(
        root, "commit-tree", "-m", "x", *(f"-p{one}" for one in (first, second, "side")), "HEAD^{tree}"
    )
    git(root, "update-ref", "refs/heads/octopus", octopus)
    past = GitPastMerges.open(str(root))

    def listed(**bounds: str) -> list[str]:
        merges = past.listing(after=bounds.get("after", ""), beyond=bounds.get("beyond", ""), merges_max=100)
        return [merge.commit for merge in merges]

    assert listed() == [second, first]
    assert listed(beyond=first) == [second]
    assert listed(after="2999-01-01T00:00:00Z") == []
    assert [one.commit for one in past.listing(after="", beyond="", merges_max=1)] == [second]
    assert past.one(first[:12]).commit == first
    for wrong in (octopus, f"{first}^1", "nothing"):
        with pytest.raises(NotFound):
            past.one(wrong)
    with pytest.raises(NotFound):
        listed(beyond="nothing")


@pytest.mark.parametrize("kind", ["bare", "worktree", "detached"])
def test_every_kind_of_repository_is_read(make_repository: Make, kind: str) -> None:
    """A bare one, a linked worktree, and one whose merge only HEAD knows; a name with quotes and line breaks does no harm."""
    root = make_repository(files={"a.py": "a = 1\n"})
    merge = merged(root, {"a.py": "a = 2\n"}, {"a.py": "a = 3\n"}, {"a.py": "a = 4\n"})
    place = root.parent / 'odd "name"\n\\ :x'
    if kind == "bare":
        git(root, "clone", "-q", "--bare", ".", str(place))
    elif kind == "worktree":
        git(root, "worktree", "add", "-q", "--detach", str(place))
    else:
        git(root, "checkout", "-q", "--detach")
        git(root, "branch", "-q", "-f", "main", "side")
        shutil.copytree(root, place)
    assert [one.merge.commit for one in conflicts(place)] == [merge]


def test_no_merges_are_no_failure(make_repository: Make, tmp_path: Path) -> None:
    """Neither is a repository without any commit; a directory without one is."""
    assert told(make_repository()) == []
    empty = tmp_path / "empty"
    git(tmp_path, "init", "-q", str(empty))
    assert told(empty) == []
    with pytest.raises(GitError):
        GitPastMerges.open(str(tmp_path))


def test_missing_objects_are_named_and_the_others_still_replayed(make_repository: Make) -> None:
    """A lost object fails the merges that need it; of a shallow clone those without an ancestor."""
    root = make_repository(files={"a.py": "a = 1\n", "b.py": "b = 1\n"})
    first = merged(root, {"a.py": "a = 2\n"}, {"a.py": "a = 3\n"}, {"a.py": "a = 4\n"})
    second = merged(root, {"b.py": "b = 2\n"}, {"b.py": "b = 3\n"}, {"b.py": "b = 4\n"})
    git(root, "clone", "-q", "--depth=2", root.as_uri(), "../shallow")
    assert [one.reason for one in told(root.parent / "shallow") if isinstance(one, LeftOut)] == [
        Reason.UNRELATED
    ]
    lost = git(root, "rev-parse", f"{first}^1^{{tree}}")
    (root / ".git/objects" / lost[:2] / lost[2:]).unlink()
    found = told(root)
    assert [one.merge.commit for one in found if isinstance(one, PastConflict)] == [second]
    [missing] = [one for one in found if isinstance(one, LeftOut)]
    assert (missing.merge.commit, missing.reason) == (first, Reason.MISSING)
    assert sum(isinstance(one, PastMerge) for one in found) == 2
