"""What a checkout holds of its tracked files, against real git."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.core.errors import GitError
from pucs.git import sources
from pucs.git.sources import CheckoutSources

pytestmark = pytest.mark.git

Make = Callable[..., Path]
ODD_NAME = os.fsdecode(b"caf\xe9 \n\t::x\\y.py")


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def ids(root: Path, *paths: str) -> dict[str, str]:
    """Return git's own names for what files hold now."""
    return {path: git(root, "hash-object", "--", path) for path in paths}


def test_files_have_the_names_of_what_they_hold_now(make_repository: Make) -> None:
    """Staged, changed, removed, new, replaced and odd ones, from a directory inside too; nothing is written."""
    plain = ("kept.py", "staged.py", "changed.py", "touched.py", "package/part.py", ODD_NAME)
    gone = ("removed.py", "now_a_link.py", "now_a_pipe.py", "now_a_directory.py")
    root = make_repository(files=dict.fromkeys((*plain, *gone), "x = 1\n"))
    (root / "staged.py").write_text("x = 2\n")
    git(root, "add", "staged.py")
    (root / "changed.py").write_text("x = 3\n")
    (root / "touched.py").touch()
    (root / "untracked.py").touch()
    for name in gone:
        (root / name).unlink()
    (root / "now_a_link.py").symlink_to("kept.py")
    os.mkfifo(root / "now_a_pipe.py")
    (root / "now_a_directory.py").mkdir()
    index = (root / ".git/index").read_bytes()
    found = CheckoutSources.open(str(root / "package"))
    assert found.root == str(root)
    listing = found.listing()
    assert listing == ids(root, *plain)
    assert list(listing) == sorted(listing)
    assert found.notes() == ()
    assert (root / ".git/index").read_bytes() == index


def test_links_submodules_and_what_is_not_checked_out_are_left_out(make_repository: Make) -> None:
    """And said, so that nobody takes the listing for the whole."""
    root = make_repository(files={"src/a.py": "", "docs/b.py": "", "docs/c.py": ""})
    other = make_repository("other")
    (root / "loop").symlink_to(".")
    (root / "src/link.py").symlink_to("a.py")
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "vendor/other")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "More")
    git(root, "sparse-checkout", "set", "src", "vendor")
    found = CheckoutSources.open(str(root))
    assert set(found.listing()) == {".gitmodules", "src/a.py"}
    assert found.notes() == (
        "2 tracked files are not checked out (sparse checkout).",
        "1 submodule is left out: vendor/other. Each is a repository of its own.",
        "2 symlinks are not followed; what they lead to counts where it is.",
    )


def test_in_the_middle_of_a_merge_files_are_what_they_hold(make_repository: Make) -> None:
    """A file with conflict markers is listed once, as it is."""
    root = make_repository(files={"a.py": "x = 1\n"})
    git(root, "checkout", "-q", "-b", "side")
    (root / "a.py").write_text("x = 2\n")
    git(root, "commit", "-q", "-am", "two")
    git(root, "checkout", "-q", "main")
    (root / "a.py").write_text("x = 3\n")
    git(root, "commit", "-q", "-am", "three")
    subprocess.run(["git", "merge", "-q", "side"], cwd=root, check=False, capture_output=True)
    assert CheckoutSources.open(str(root)).listing() == ids(root, "a.py")


def test_names_follow_the_repositorys_own_format(tmp_path: Path) -> None:
    """Where git names objects by SHA-256, changed files are as well; no commit is needed."""
    root = tmp_path / "long"
    git(tmp_path, "init", "-q", "--object-format=sha256", str(root))
    (root / "a.py").write_text("x = 1\n")
    git(root, "add", "a.py")
    (root / "a.py").write_text("x = 2\n")
    found = CheckoutSources.open(str(root))
    assert found.listing() == ids(root, "a.py")
    assert found.history(10) == []


def test_huge_changed_files_are_not_read(make_repository: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names follow size and time of change; what is this large is no source."""
    monkeypatch.setattr(sources, "HASHED_BYTES_MAX", 10)
    root = make_repository(files={"a.bin": ""})
    (root / "a.bin").write_bytes(b"0" * 11)
    os.utime(root / "a.bin", ns=(5, 7))
    assert CheckoutSources.open(str(root)).listing() == {"a.bin": "large-11-7"}


def test_a_linked_worktree_is_a_checkout_of_its_own(make_repository: Make, tmp_path: Path) -> None:
    """With its own files, and the index of all."""
    root = make_repository(files={"a.py": "x = 1\n"})
    git(root, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side/a.py").write_text("x = 2\n")
    found = CheckoutSources.open(str(tmp_path / "side"))
    assert (found.root, found.common_dir) == (str(tmp_path / "side"), str(root / ".git"))
    assert found.listing() == ids(tmp_path / "side", "a.py")


def test_files_are_read_only_inside_the_checkout(make_repository: Make, tmp_path: Path) -> None:
    """What is behind a link, no file, or not there is not read."""
    root = make_repository(files={"package/a.py": "x = 1\n", "b.py": ""})
    (tmp_path / "secret.py").write_text("no\n")
    (root / "b.py").unlink()
    (root / "b.py").symlink_to(tmp_path / "secret.py")
    (root / "out").symlink_to(tmp_path)
    found = CheckoutSources.open(str(root))
    assert found.read("package/a.py") == b"x = 1\n"
    for path in ("b.py", "out/secret.py", "package", "gone.py", "package/a.py/b.py"):
        assert found.read(path) is None, path


def test_history_tells_what_changed_together(make_repository: Make) -> None:
    """Newest first, each commit with time and all its paths; the first commit and merges bring nothing of that kind."""
    root = make_repository(files={"a.py": "1\n", "b.py": "1\n"})
    for number, changed in enumerate((["a.py", "b.py"], [ODD_NAME], [])):
        for name in changed:
            (root / name).write_text(f"{number}\n2\n")
        git(root, "add", "-A")
        date = {"GIT_COMMITTER_DATE": f"@{1000 + number} +0000"}
        call = ["git", "commit", "-q", "--allow-empty", "-m", "more"]
        subprocess.run(call, cwd=root, check=True, env=os.environ | date)
    git(root, "checkout", "-q", "-b", "side", "HEAD~2")
    git(root, "mv", "a.py", "moved.py")
    git(root, "commit", "-q", "-m", "move")
    when = int(git(root, "log", "-1", "--format=%ct"))
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "--no-edit", "side")
    found = CheckoutSources.open(str(root))
    assert found.history(10) == [
        (when, ("a.py", "moved.py")),
        (1002, ()),
        (1001, (ODD_NAME,)),
        (1000, ("a.py", "b.py")),
    ]
    assert found.history(1) == [(when, ("a.py", "moved.py"))]


def test_outside_of_a_checkout_the_way_in_is_told(tmp_path: Path, make_repository: Make) -> None:
    """No repository, and a bare one."""
    root = make_repository()
    git(tmp_path, "clone", "-q", "--bare", str(root), str(tmp_path / "bare"))
    (tmp_path / "plain").mkdir()
    for place in ("plain", "bare"):
        with pytest.raises(GitError, match="git init"):
            CheckoutSources.open(str(tmp_path / place))
