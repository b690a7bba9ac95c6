"""Agents' worktrees, against real git."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.core.errors import GitError, Refused, Usage
from pucs.core.resources import path_resource
from pucs.git import repository, run
from pucs.git.repository import GitRepository
from pucs.git.worktrees import GitWorktrees

pytestmark = pytest.mark.git

Make = Callable[..., Path]
ODD_NAME = os.fsdecode(b"caf\xe9 \n\t::x\\y.txt")
BRANCH = "pucs/agent/one"


def git(root: str | Path, *arguments: str) -> str:
    return (
        subprocess
        .run(["git", *arguments], cwd=root, check=True, capture_output=True)
        .stdout.decode(errors="replace")
        .strip()
    )


@pytest.fixture
def root(make_repository: Make) -> Path:
    return make_repository(
        files={"a.txt": "1\n", "src/b.txt": "b\n", "gone.txt": "g\n", ".gitignore": "*.tmp\n"}
    )


@pytest.fixture
def worktrees(root: Path) -> GitWorktrees:
    return GitWorktrees(GitRepository.open(str(root)))


@pytest.fixture
def path(worktrees: GitWorktrees, tmp_path: Path) -> str:
    place = str(tmp_path / "work trees" / "one")
    worktrees.create(place, BRANCH, "main")
    return place


def change(path: str) -> None:
    """Make one change of every kind."""
    Path(path, "a.txt").write_text("2\n")
    Path(path, "new file.txt").write_text("n\n")
    Path(path, ODD_NAME).write_text("odd\n")
    Path(path, "gone.txt").unlink()
    Path(path, "ignored.tmp").write_text("i\n")


CHANGED = sorted(map(path_resource, ("a.txt", "new file.txt", ODD_NAME, "gone.txt")))


def test_create_twice_and_after_deletion(worktrees: GitWorktrees, path: str) -> None:
    """Creating again changes nothing; a worktree deleted by hand is made again from its branch."""
    Path(path, "a.txt").write_text("2\n")
    commit = worktrees.commit(path, "two", author="one")
    worktrees.create(path, BRANCH, "main")
    assert worktrees.head(path) == commit
    shutil.rmtree(path)
    with pytest.raises(GitError, match="not a worktree any more"):
        worktrees.dirty(path)
    worktrees.create(path, BRANCH, "main")
    assert worktrees.head(path) == commit
    assert worktrees.paths()[path] == BRANCH


def test_create_at_once(worktrees: GitWorktrees, tmp_path: Path) -> None:
    """Several agents that start together all get their worktree."""
    failures: list[BaseException] = []

    def make(name: str) -> None:
        try:
            worktrees.create(str(tmp_path / "all" / name), f"pucs/agent/{name}", "main")
        except BaseException as error:  # noqa: BLE001 # the thread hands it to the assertion
            failures.append(error)

    threads = [threading.Thread(target=make, args=(f"w{n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(worktrees.paths()) == 6


def test_create_refuses_and_leaves_nothing(
    worktrees: GitWorktrees, root: Path, path: str, tmp_path: Path
) -> None:
    """A taken place, a branch out elsewhere and an unknown start are refused without a trace."""
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "precious").write_text("p")
    with pytest.raises(Refused, match="not a worktree"):
        worktrees.create(str(taken), "pucs/agent/two", "main")
    with pytest.raises(Refused, match="checked out"):
        worktrees.create(str(tmp_path / "two"), BRANCH, "main")
    with pytest.raises(Refused, match="not on branch"):
        worktrees.create(path, "pucs/agent/two", "main")
    with pytest.raises(GitError):
        worktrees.create(str(tmp_path / "two"), "pucs/agent/two", "nowhere")
    with pytest.raises(Usage):
        worktrees.create(str(tmp_path / "two"), "--detach", "main")
    assert (taken / "precious").read_text() == "p"
    assert not (tmp_path / "two").exists()
    assert "pucs/agent/two" not in git(root, "branch", "--list")


def test_create_after_killed_creation(worktrees: GitWorktrees, root: Path, path: str) -> None:
    """A worktree whose creation was killed half-way, still locked by git, is made anew."""
    name = Path(git(path, "rev-parse", "--absolute-git-dir"))
    (name / "locked").write_text("initializing")
    Path(path, "a.txt").unlink()
    worktrees.create(path, BRANCH, "main")
    assert Path(path, "a.txt").read_text() == "1\n"


def test_dirty_lists_what_changed(worktrees: GitWorktrees, path: str) -> None:
    """Changed, new, deleted and oddly named files are listed; ignored ones and nested repositories are not."""
    assert worktrees.dirty(path) == []
    change(path)
    git(path, "init", "-q", "nested")
    Path(path, "nested", "f").write_text("x")
    assert worktrees.dirty(path) == CHANGED


def test_commit_all_and_some(worktrees: GitWorktrees, path: str, root: Path) -> None:
    """Only the chosen paths are committed, then the rest; then there is nothing."""
    change(path)
    odd = path_resource(ODD_NAME)
    first = worktrees.commit(
        path, "# not a comment\n\nbody", author="one", only=[odd, path_resource("gone.txt")]
    )
    repository = GitRepository.open(str(root))
    assert first is not None
    assert set(repository.changed("main", first)) == {odd, "gone.txt"}
    assert repository.message(first) == "# not a comment\n\nbody"
    second = worktrees.commit(path, "rest", author="one")
    assert second is not None
    assert set(repository.changed(first, second)) == {"a.txt", "new file.txt"}
    assert worktrees.commit(path, "none", author="one") is None
    assert git(root, "status", "--porcelain") == ""


def test_no_hook_runs_where_nothing_is_committed(worktrees: GitWorktrees, root: Path, tmp_path: Path) -> None:
    """Neither those in the directory nor those in the configuration, which git knows since 2.54 (and 2.55 can leave out)."""
    if run.require_git() == (2, 54):
        pytest.skip("this git cannot be told to leave the configured ones out")
    ran = tmp_path / "ran"
    for event in ("post-checkout", "post-index-change", "post-merge", "reference-transaction"):
        hook = root / ".git" / "hooks" / event
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
        hook.chmod(0o755)
        git(str(root), "config", f"hook.mine-{event}.event", event)
        git(str(root), "config", f"hook.mine-{event}.command", f"touch {ran}")
    path = str(tmp_path / "hooked")
    worktrees.create(path, "pucs/hooked", "main")
    Path(path, "new.txt").write_text("new\n")
    kept = worktrees.snapshot(path, "kept", author="one")
    assert kept is not None
    worktrees.restore(path, worktrees.dirty(path))
    worktrees.advance(path, kept)
    worktrees.remove(path, [kept])
    assert not ran.exists()


def test_commit_runs_hooks_within_bounds(
    worktrees: GitWorktrees, path: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook that refuses is quoted; one that hangs is stopped; one that leaves a process behind is no matter."""
    hook = root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    Path(path, "a.txt").write_text("2\n")
    hook.write_text("#!/bin/sh\necho no good >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GitError, match="no good"):
        worktrees.commit(path, "m", author="one")
    hook.write_text("#!/bin/sh\nsleep 600 & \nexit 0\n")
    assert worktrees.commit(path, "m", author="one")
    monkeypatch.setattr(run, "HOOKS_TIMEOUT_S", 0.3)
    hook.write_text("#!/bin/sh\nsleep 600\n")
    Path(path, "a.txt").write_text("3\n")
    with pytest.raises(GitError, match="took longer"):
        worktrees.commit(path, "m", author="one")
    assert worktrees.dirty(path) == ["a.txt"]


def test_commit_concludes_resolved_merge(worktrees: GitWorktrees, path: str, root: Path) -> None:
    """Conflict markers are refused; once resolved, the merge is committed with both parents."""
    Path(path, "a.txt").write_text("2\n")
    worktrees.commit(path, "two", author="one")
    (root / "a.txt").write_text("3\n")
    git(root, "commit", "-q", "-a", "-m", "three")
    subprocess.run(["git", "merge", "-q", "main"], cwd=path, check=False, capture_output=True)
    with pytest.raises(Refused, match="conflict markers"):
        worktrees.commit(path, "m", author="one")
    Path(path, "a.txt").write_text("2\n")  # as it was: a merge without any change of its own
    commit = worktrees.commit(path, "resolved", author="one", only=[])
    assert git(path, "rev-parse", f"{commit}^2") == git(root, "rev-parse", "main")


def test_snapshot_leaves_worktree_alone(worktrees: GitWorktrees, path: str, root: Path) -> None:
    """A snapshot keeps every change on top of HEAD, beside a stale lock, and touches nothing."""
    change(path)
    git(path, "add", "a.txt")
    before = git(path, "status", "--porcelain", "-z")
    lock = Path(git(path, "rev-parse", "--absolute-git-dir"), "index.lock")
    lock.touch()
    commit = worktrees.snapshot(path, "kept", author="one")
    repository = GitRepository.open(str(root))
    assert commit is not None
    assert sorted(repository.changed("main", commit)) == CHANGED
    some = worktrees.snapshot(path, "kept", author="one", only=[path_resource("a.txt")])
    assert some is not None
    assert repository.changed("main", some) == ["a.txt"]
    with pytest.raises(GitError, match=r"index\.lock"):
        worktrees.commit(path, "m", author="one")
    with pytest.raises(GitError, match="git is at work"):
        worktrees.clear_stale_locks(path)
    os.utime(lock, (1, 1))
    assert worktrees.clear_stale_locks(path) == [str(lock)]
    assert git(path, "status", "--porcelain", "-z") == before
    assert worktrees.head(path) == repository.resolve("main")


def test_restore_some_paths(worktrees: GitWorktrees, path: str) -> None:
    """Chosen paths go back to HEAD, new files disappear, the rest and ignored files stay."""
    change(path)
    Path(path, "src", "b.txt").unlink()
    Path(path, "src", "b.txt").mkdir()
    Path(path, "src", "b.txt", "inner").write_text("i")
    worktrees.restore(path, [path_resource(ODD_NAME), path_resource("gone.txt"), path_resource("src/")])
    assert worktrees.dirty(path) == ["a.txt", "new file.txt"]
    assert Path(path, "gone.txt").read_text() == "g\n"
    assert Path(path, "src", "b.txt").read_text() == "b\n"
    assert Path(path, "ignored.tmp").exists()


def test_advance_only_fast_forward(worktrees: GitWorktrees, path: str, root: Path) -> None:
    """A clean worktree follows to a newer commit; a diverged one, or a change in the way, stops it."""
    (root / "a.txt").write_text("3\n")
    git(root, "commit", "-q", "-a", "-m", "three")
    tip = git(root, "rev-parse", "HEAD")
    Path(path, "a.txt").write_text("mine\n")
    with pytest.raises(GitError):
        worktrees.advance(path, tip)
    assert Path(path, "a.txt").read_text() == "mine\n"
    worktrees.restore(path, [path_resource("a.txt")])
    worktrees.advance(path, tip)
    assert worktrees.head(path) == tip
    assert Path(path, "a.txt").read_text() == "3\n"


def test_remove_only_what_is_safe(worktrees: GitWorktrees, path: str, root: Path) -> None:
    """Uncommitted changes and commits that are nowhere else keep a worktree; its branch always stays."""
    Path(path, "a.txt").write_text("2\n")
    with pytest.raises(Refused, match="uncommitted"):
        worktrees.remove(path, ["main"])
    commit = worktrees.commit(path, "two", author="one")
    with pytest.raises(Refused, match="nowhere else"):
        worktrees.remove(path, ["main"])
    Path(path, "ignored.tmp").write_text("i")
    worktrees.remove(path, ["main", BRANCH])
    assert not Path(path).exists()
    assert git(root, "rev-parse", BRANCH) == commit
    with pytest.raises(Refused, match="main checkout"):
        worktrees.remove(str(root), ["main"])


def test_detached_is_thrown_away(worktrees: GitWorktrees, root: Path) -> None:
    """A throwaway worktree shows the commit and is gone afterwards, whatever was done in it."""
    with worktrees.detached("main") as place:
        assert Path(place, "a.txt").read_text() == "1\n"
        Path(place, "junk").write_text("j")
    assert not Path(place).exists()
    assert list(worktrees.paths()) == [str(root)]


def test_gone_git_file_is_no_parent(worktrees: GitWorktrees, root: Path) -> None:
    """A worktree inside the main checkout that lost its .git never stands for the checkout around it."""
    place = str(root / "inner")
    worktrees.create(place, "pucs/agent/inner", "main")
    Path(place, ".git").unlink()
    with pytest.raises(GitError, match="not a worktree any more"):
        worktrees.commit(place, "m", author="one")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", ("a.txt",)),
        ("./src", ("src/",)),
        ("src/new.py", ("src/new.py",)),
        ("src/b.txt::A.b", ("src/b.txt::A.b",)),
        ("/", ("/",)),
        (".", ("/",)),
        ("res:port/1", ("res:port/1",)),
        ("link.txt", ("link.txt", "a.txt")),
        ("linked", ("linked", "src/")),
        ("linked/b.txt", ("linked/b.txt", "src/b.txt")),
        ("linked/b.txt::X", ("linked/b.txt::X", "src/b.txt::X")),
        (ODD_NAME, (path_resource(ODD_NAME),)),
        ("%/src/b.txt", ("src/b.txt",)),
        ("%", ("/",)),
    ],
)
def test_canonical_names(tmp_path: Path, name: str, expected: tuple[str, ...]) -> None:
    """Names as callers write them become canonical, symlinks together with their target."""
    top = tmp_path / "top"
    (top / "src").mkdir(parents=True)
    (top / "src" / "b.txt").touch()
    (top / "a.txt").touch()
    (top / ODD_NAME).touch()
    (top / "link.txt").symlink_to("a.txt")
    (top / "linked").symlink_to("src")
    hand = GitWorktrees(GitRepository(str(tmp_path / "main"), str(tmp_path / "main" / ".git")))
    assert hand.canonical(str(top), [name.replace("%", str(top))]) == expected


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "out/x", "out", "a/../../x", "", ".git/config", "a\0b"]
)
def test_canonical_refuses_outside(tmp_path: Path, name: str) -> None:
    """Names that leave the repository, also through a symlink, are refused."""
    top = tmp_path / "top"
    top.mkdir()
    (top / "out").symlink_to(tmp_path)
    hand = GitWorktrees(GitRepository(str(top), str(top / ".git")))
    with pytest.raises(Usage):
        hand.canonical(str(top), [name])


def test_canonical_refuses_what_another_repository_tracks(tmp_path: Path) -> None:
    """Inside a nested repository or a submodule nothing can land; the directory itself is this repository's."""
    for name in ("vendor/lib", "sub"):
        (tmp_path / name / "src").mkdir(parents=True)
    (tmp_path / "vendor" / "lib" / ".git").mkdir()
    (tmp_path / "sub" / ".git").write_text("gitdir: ../.git/modules/sub\n", encoding="utf-8")
    (tmp_path / "link").symlink_to("sub/src")
    hand = GitWorktrees(GitRepository(str(tmp_path), str(tmp_path / ".git")))
    for name, at in (
        ("vendor/lib/src/x.py", "vendor/lib"),
        ("sub/a.py::f", "sub"),
        ("sub/src", "sub"),
        ("link", "sub"),
    ):
        with pytest.raises(Usage, match=f"repository of its own at {at}/"):
            hand.canonical(str(tmp_path), [name])
    assert hand.canonical(str(tmp_path), ["sub", "vendor/x.py"]) == ("sub/", "vendor/x.py")


def test_note_tells_changes(tmp_path: Path) -> None:
    """Notes of the same file are equal until its content changes; directories have none."""
    hand = GitWorktrees(GitRepository(str(tmp_path), str(tmp_path / ".git")))
    file = tmp_path / "f"
    assert hand.note(str(tmp_path), "f") == "absent"
    file.write_text("a")
    first = hand.note(str(tmp_path), "f")
    assert first == hand.note(str(tmp_path), "f::X")
    status = file.stat()
    file.write_text("b")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert hand.note(str(tmp_path), "f") != first
    (tmp_path / "dangling").symlink_to("nowhere")
    assert hand.note(str(tmp_path), "dangling").startswith("12")
    assert [hand.note(str(tmp_path), name) for name in ("d/", "/", "res:x")] == ["", "", ""]


def test_copy_untracked_files(tmp_path: Path) -> None:
    """Named files come along unless they are there; paths outside are refused, missing ones passed over."""
    root, top = tmp_path / "root", tmp_path / "top"
    (root / "conf").mkdir(parents=True)
    top.mkdir()
    (root / ".env").write_text("secret")
    (root / "conf" / "x.local").write_text("x")
    (top / ".env").write_text("kept")
    hand = GitWorktrees(GitRepository(str(root), str(root / ".git")))
    hand.copy(str(top), [".env", "conf/*.local", "missing"])
    assert (top / ".env").read_text() == "kept"
    assert (top / "conf" / "x.local").read_text() == "x"
    with pytest.raises(Usage):
        hand.copy(str(top), ["../x"])


def test_read_stays_inside_the_worktree(
    worktrees: GitWorktrees, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is read byte for byte; no symlink is followed, no pipe waited for, and a huge file is refused."""
    Path(path, ODD_NAME).write_bytes(b"\xff\r\n")
    assert worktrees.read(path, path_resource(ODD_NAME)) == b"\xff\r\n"
    assert worktrees.read(path, "src/b.txt::b") == b"b\n"
    assert worktrees.read(path, "src/none/at/all.py") is None
    Path(path, "link").symlink_to("a.txt")
    Path(path, "away").symlink_to("/etc")
    os.mkfifo(Path(path, "pipe"))
    for name in ("link", "away/passwd", "pipe", "src", "a.txt/below"):
        with pytest.raises(Refused):
            worktrees.read(path, name)
    monkeypatch.setattr("pucs.git.paths.CONTENT_BYTES_MAX", 1)
    with pytest.raises(Refused, match="larger than"):
        worktrees.read(path, "a.txt")


def test_list_waits_for_a_worktree_in_the_making(
    worktrees: GitWorktrees, root: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process writes the entry of a new worktree git cannot list any; the list is asked for again."""
    entry = root / ".git" / "worktrees" / "half"
    entry.mkdir()
    (entry / "gitdir").write_text(f"{root}/../half/.git\n")
    (entry / "HEAD").write_text("ref: refs/heads/half\n")
    (entry / "commondir").touch()
    pauses: list[float] = []
    real = time.sleep

    def pause(seconds: float) -> None:
        if seconds != repository.LIST_RETRY_S:
            return real(seconds)  # subprocess sleeps, too
        pauses.append(seconds)
        if len(pauses) == 2:
            (entry / "commondir").write_text("../..\n")
        return None

    monkeypatch.setattr("pucs.git.repository.time.sleep", pause)
    assert path in worktrees.paths()
    assert len(pauses) == 2
    (entry / "commondir").write_text("")
    monkeypatch.setattr("pucs.git.repository.LIST_ATTEMPTS_MAX", 3)
    with pytest.raises(GitError, match="commondir"):
        worktrees.paths()
