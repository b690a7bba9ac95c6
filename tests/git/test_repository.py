"""The object store and the refs, against real git."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.core.errors import EnvironmentFailure, GitError, Refused, Usage
from pucs.core.resources import path_resource
from pucs.git import identity as identities
from pucs.git import paths, run
from pucs.git.repository import GitRepository
from pucs.git.run import Git

pytestmark = pytest.mark.git

Make = Callable[..., Path]
ODD_NAME = os.fsdecode(b"caf\xe9 \n\t::x\\y.txt")


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def write(root: Path, name: str, text: str, message: str = "change") -> str:
    target = root / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(make_repository: Make) -> Path:
    return make_repository(files={"a.txt": "1\n2\n3\n", "src/b.txt": "b\n"})


@pytest.fixture
def repository(root: Path) -> GitRepository:
    return GitRepository.open(str(root))


def test_open_finds_main_checkout(root: Path, tmp_path: Path) -> None:
    """From a subdirectory or a linked worktree, the main checkout and the common directory are found."""
    git(root, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    for place in (root, root / "src", tmp_path / "side" / "src"):
        found = GitRepository.open(str(place))
        assert (found.root, found.common_dir) == (str(root), str(root / ".git"))


def test_open_refuses_with_remedy(tmp_path: Path) -> None:
    """No repository, a bare one and one without a commit are told apart, each with what to do."""
    for name, make, remedy in (
        ("plain", None, "git init"),
        ("bare", ["init", "-q", "--bare"], "clone"),
        ("empty", ["init", "-q"], "--allow-empty"),
    ):
        place = tmp_path / name
        place.mkdir()
        if make:
            git(place, *make)
        with pytest.raises(GitError) as caught:
            GitRepository.open(str(place))
        assert remedy in caught.value.remedy


def test_open_without_git(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git, or with one that cannot merge without a worktree, is told so."""
    run.require_git.cache_clear()
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EnvironmentFailure, match="not installed"):
        GitRepository.open(str(root))
    monkeypatch.setattr(run, "OLDEST_GIT", (99, 0))
    monkeypatch.undo()
    monkeypatch.setattr(run, "OLDEST_GIT", (99, 0))
    with pytest.raises(EnvironmentFailure, match=r"99\.0 or newer"):
        GitRepository.open(str(root))
    monkeypatch.undo()
    run.require_git.cache_clear()


def test_environment_is_stripped(root: Path, make_repository: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a hook of another repository, git still works on ours."""
    other = make_repository("other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    assert GitRepository.open(str(root)).root == str(root)


def test_head_attached_and_detached(root: Path, repository: GitRepository) -> None:
    """The branch of the main checkout is named, and empty once HEAD is detached."""
    commit = git(root, "rev-parse", "HEAD")
    assert repository.head() == (commit, "main")
    git(root, "checkout", "-q", "--detach")
    assert repository.head() == (commit, "")


def test_resolve_takes_nothing_for_option(repository: GitRepository) -> None:
    """Names are commits or nothing; what looks like an option or hides control characters is refused."""
    assert repository.resolve("main") == repository.head()[0]
    assert repository.resolve("nowhere") is None
    assert repository.resolve("0" * 39 + "1") is None
    for bad in ("--help", "-x", "", "a\nb"):
        with pytest.raises(Usage):
            repository.resolve(bad)


def test_move_ref_compares_and_swaps(root: Path, repository: GitRepository) -> None:
    """A ref moves only from the expected value, and comes into being only where there was none."""
    first = repository.head()[0]
    second = write(root, "a.txt", "x\n")
    ref = "refs/heads/pucs/one"
    assert repository.move_ref(ref, first, None)
    assert not repository.move_ref(ref, second, None)
    assert not repository.move_ref(ref, second, second)
    assert repository.move_ref(ref, second, first)
    assert repository.refs("refs/heads/pucs/") == {ref: second}
    assert not repository.delete_ref(ref, first)
    assert repository.delete_ref(ref, second)
    assert repository.refs("refs/heads/pucs/") == {}
    with pytest.raises(Usage):
        repository.move_ref("refs/heads/-x y", first, None)


def test_refs_are_made_where_there_are_none(root: Path, repository: GitRepository) -> None:
    """Those that are missing are made, alone or beside others that stay where they are."""
    first = git(root, "rev-parse", "HEAD")
    names = ["refs/heads/pucs/s", "refs/heads/pucs/s.a", "refs/heads/pucs/s.b"]
    repository.make_refs(names[:2], first)
    second = write(root, "a.txt", "other\n")
    repository.make_refs(names, second)
    assert repository.refs("refs/heads/pucs") == dict(zip(names, (first, first, second), strict=True))
    with pytest.raises(Usage):
        repository.make_refs(["refs/heads/-x y"], first)


def test_move_ref_has_one_winner(root: Path, repository: GitRepository) -> None:
    """Of several that move a ref from one value at once, exactly one succeeds."""
    first = repository.head()[0]
    commits = [repository.commit(f"{first}^{{tree}}", [first], f"c{n}", author="a") for n in range(4)]
    assert repository.move_ref("refs/heads/race", first, None)
    won: list[str] = []
    threads = [
        threading.Thread(
            target=lambda c=c: won.append(c) if repository.move_ref("refs/heads/race", c, first) else None
        )
        for c in commits
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [repository.resolve("refs/heads/race")]


def test_move_ref_past_stale_lock(root: Path, repository: GitRepository) -> None:
    """A lock that a killed git left is removed once it is old; a young one is an error."""
    first = repository.head()[0]
    lock = root / ".git" / "refs" / "heads" / "x.lock"
    if not lock.parent.is_dir():
        pytest.skip("this git keeps refs as reftables: see test_formats.py")
    lock.touch()
    with pytest.raises(GitError, match="cannot move") as young:
        repository.move_ref("refs/heads/x", first, None)
    assert "try again in 10 s" in young.value.remedy
    os.utime(lock, (1, 1))
    assert repository.move_ref("refs/heads/x", first, None)


def test_merge_clean_and_conflicting(root: Path, repository: GitRepository) -> None:
    """A clean merge gives a tree, a conflicting one the paths; no checkout changes."""
    base = repository.head()[0]
    git(root, "checkout", "-q", "-b", "left")
    left = write(root, "a.txt", "one\n2\n3\n")
    git(root, "checkout", "-q", "-b", "right", base)
    clean = write(root, "src/b.txt", "B\n")
    clash = write(root, "a.txt", "uno\n2\n3\n")
    merged = repository.merge(left, clean)
    assert merged.conflicts == ()
    commit = repository.commit(merged.tree, [left, clean], "both\n\nPUCS-Agent: x\n", author="agent")
    assert repository.changed(base, commit) == ["a.txt", "src/b.txt"]
    assert repository.merge(left, clash).conflicts == ("a.txt",)
    assert repository.contains(commit, left)
    assert not repository.contains(left, commit)
    assert git(root, "status", "--porcelain") == ""


def test_one_file_is_merged_by_lines(repository: GitRepository) -> None:
    """Bytes go in and come out as they are; the number of conflicts is told; binary content is an error."""
    base = b"one\r\n2\r\n3\r\n4\r\n\xff last"
    ours, theirs = base.replace(b"one", b"uno"), base.replace(b"last", b"end")
    assert repository.merge_file(base, ours, theirs) == (ours.replace(b"last", b"end"), 0)
    assert repository.merge_file(b"", b"", b"new\n") == (b"new\n", 0)
    marked, conflicts = repository.merge_file(base, ours, base.replace(b"one", b"eins"))
    assert conflicts == 1
    assert b"<<<<<<<" in marked
    lines = [f"{'k' if at % 9 == 0 else 's'}{at}\n" for at in range(9 * 200)]
    many = "".join(lines).encode()
    sides = [many.replace(b"k", b"o"), many.replace(b"k", b"t")]
    assert repository.merge_file(many, *sides)[1] > 100  # git counts no further than its exit status goes
    with pytest.raises(GitError, match="binary"):
        repository.merge_file(b"\0", b"\0a", b"\0b")


def test_commits_carry_trailers_and_paths(root: Path, repository: GitRepository) -> None:
    """Each commit comes with its PUCS trailers and what it changed; a merge with what it added by itself."""
    base = repository.head()[0]
    git(root, "checkout", "-q", "-b", "side")
    side = write(root, "side.txt", "s\n", "side\n\nPUCS-Token: 1\nPUCS-Token: 2\nOther: x")
    git(root, "checkout", "-q", "main")
    main = write(root, "main.txt", "m\n", "empty subject follows")
    git(root, "merge", "-q", "--no-edit", "side")
    plain = git(root, "rev-parse", "HEAD")
    (root / "a.txt").write_text("evil\n")
    (root / ODD_NAME).write_text("odd\n")
    git(root, "add", "-A")
    git(root, "commit", "-q", "--amend", "--no-edit")
    evil = git(root, "rev-parse", "HEAD")
    empty = write(root, "a.txt", "evil\n")
    found = {facts.id: facts for facts in repository.commits(base, "main")}
    assert list(found)[-2:] == [evil, empty]
    assert found[side].trailers == (("PUCS-Token", "1"), ("PUCS-Token", "2"))
    assert found[side].paths == ("side.txt",)
    assert set(found[evil].paths) == {"a.txt", path_resource(ODD_NAME)}
    assert found[evil].parents == (main, side)
    assert found[empty].paths == ()
    assert [facts.paths for facts in repository.commits(base, plain, also_not=[side])] == [("main.txt",), ()]


def test_tree_with_paths_of_base(root: Path, repository: GitRepository) -> None:
    """Chosen paths of a commit go back to how they were, including ones that were not there."""
    base = repository.head()[0]
    (root / "src" / "b.txt").unlink()
    (root / ODD_NAME).write_text("odd\n")
    tip = write(root, "a.txt", "changed\n")
    tree = repository.tree_with(tip, [path_resource("src/b.txt"), path_resource(ODD_NAME)], base)
    commit = repository.commit(tree, [base], "partly", author="a")
    assert repository.changed(base, commit) == ["a.txt"]
    assert repository.files(commit) == ["a.txt", "src/b.txt"]


def test_identity_falls_back_to_agent(root: Path, repository: GitRepository) -> None:
    """Where git knows no user, the agent commits under its id; where it does, the user does."""
    first = repository.head()[0]

    def author(agent: str) -> str:
        identities._user_known.cache_clear()
        commit = repository.commit(f"{first}^{{tree}}", [first], "m", author=agent)
        return git(root, "log", "-1", "--format=%an <%ae> %cn", commit)

    assert author("coder 7<") == "coder 7 <coder-7@pucs.invalid> coder 7"
    git(root, "config", "user.name", "Ann")
    git(root, "config", "user.email", "ann@example.org")
    assert author("coder-7") == "Ann <ann@example.org> Ann"
    identities._user_known.cache_clear()


def test_slow_command_is_stopped(root: Path) -> None:
    """A command beyond its time is ended together with what it started, and the error says so."""
    with pytest.raises(GitError, match="took longer"):
        Git(directory=str(root))("-c", "alias.hang=!sleep 600 & wait", "hang", timeout_s=0.2)


def test_checkout_of_branch(root: Path, repository: GitRepository, tmp_path: Path) -> None:
    """The worktree that has a branch out is found by the branch."""
    git(root, "worktree", "add", "-q", "-b", "side", str(tmp_path / "a b"))
    assert repository.checkout_of("main") == str(root)
    assert repository.checkout_of("side") == str(tmp_path / "a b")
    assert repository.checkout_of("none") is None


def test_content_is_the_bytes_of_a_file(
    root: Path, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit's files are given byte for byte, a symbol stands for its file, and only regular files have content."""
    data = bytes(range(256)) + b"\r\n"
    (root / ODD_NAME).write_bytes(data)
    (root / "empty.py").touch()
    (root / "link.py").symlink_to("a.txt")
    commit = write(root, "src/c.py", "c = 1\n")
    assert repository.content(commit, path_resource(ODD_NAME)) == data
    assert repository.content(commit, "empty.py") == b""
    assert repository.content(commit, "src/c.py::c") == b"c = 1\n"
    assert repository.content(f"{commit}^", "src/c.py") is None
    for name in ("link.py", "src"):
        with pytest.raises(Refused, match="no regular file"):
            repository.content(commit, name)
    monkeypatch.setattr("pucs.git.repository.CONTENT_BYTES_MAX", len(data) - 1)
    with pytest.raises(Refused, match="larger than"):
        repository.content(commit, path_resource(ODD_NAME))
    assert paths.CONTENT_BYTES_MAX > 1_000_000
