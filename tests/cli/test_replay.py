"""``merge replay``: what it tells of a repository's merges, and what it makes of wrong questions."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pucs.cli import replay as door
from pucs.cli.replay_text import lines, shown
from pucs.coordinator import replaying
from pucs.coordinator.past import PastConflict, PastMerge
from pucs.merge.records import Tier
from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git

START = "import os\n\n\ndef one():\n    return os\n"
OURS = START.replace("import os\n", "import os\nimport re\n") + "\n\ndef two():\n    return re\n"
THEIRS = START.replace("import os\n", "import os\nimport sys\n") + "\n\ndef three():\n    return sys\n"


def git(root: Path, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode in ok, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository with one merge that stops at two files, and one that stops nowhere."""
    root = tmp_path_factory.mktemp("history")
    git(root, "init", "-q", "-b", "main", "--template=")
    (root / "shop").mkdir()

    def commit(message: str, code: str, words: str) -> str:
        (root / "shop/cart.py").write_text(code)
        (root / "notes.txt").write_text(words)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", message)
        return git(root, "rev-parse", "HEAD")

    commit("start", START, "one\n")
    git(root, "checkout", "-q", "-b", "side")
    commit("theirs", THEIRS, "two\n")
    git(root, "checkout", "-q", "main")
    commit("ours", OURS, "three\n")
    git(root, "merge", "-q", "side", ok=(1,))
    commit("merge", OURS, "three\n")
    git(root, "checkout", "-q", "-b", "calm")
    (root / "more.txt").write_text("more\n")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "more")
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "--no-ff", "-m", "calm", "calm")
    return root


def test_a_replay_is_told_as_a_document(history: Path, pucs: Pucs) -> None:
    """Each file with its merge, its verdict and its rules; the sums are those of the files."""
    found = pucs.json("merge", "replay", str(history), "--accept", "review")
    assert (found["merges"], found["replayed"], found["conflicting_merges"]) == (2, 2, 1)
    assert found["conflicted"] == len(found["per_file"]) == 2
    assert {one["path"] for one in found["per_file"]} == {"shop/cart.py", "notes.txt"}
    for one in found["per_file"]:
        assert one["id"] == f"{one['merge'][:10]}:{one['path']}"
        assert (one["verdict"] == "conflict") == bool(one["conflicts"])
        assert one["left_lines"] == sum(each["lines"] for each in one["conflicts"]) <= one["git_lines"]
    settled = [one for one in found["per_file"] if one["verdict"] != "conflict"]
    assert found["resolved"] == len(settled) == sum(one["resolved"] for one in found["tiers"].values())
    assert found["agrees"] == sum(one["verdict"] not in {"differs", "does not parse"} for one in settled)
    assert sum(found["verdicts"].values()) == found["conflicted"]


def test_a_replay_is_told_to_people(history: Path, pucs: Pucs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are, with how to look at one; nothing in the repository changes."""
    monkeypatch.chdir(history)
    before = sorted(map(str, (history / ".git").rglob("*")))
    text = pucs.ok("merge", "replay")
    assert "2 merges replayed, 1 with conflicts, 2 files to compare." in text
    assert "STILL IN CONFLICT" in text
    assert f"{git(history, 'rev-parse', 'HEAD^1')[:10]}:notes.txt" in text
    assert "--show ID" in text
    assert sorted(map(str, (history / ".git").rglob("*"))) == before
    assert "1 file to compare" in pucs.ok("merge", "replay", "--path", "*.txt")
    assert "0 with conflicts" in pucs.ok("merge", "replay", "--limit", "1")
    assert "no merges of two commits" in pucs.ok("merge", "replay", "--since", "main")


def test_one_file_is_shown_beside_what_people_committed(history: Path, pucs: Pucs) -> None:
    """By its id or by its path: git's conflict first, then the difference."""
    merge = git(history, "rev-parse", "HEAD^1")
    for name in (f"{merge[:10]}:notes.txt", "notes.txt"):
        text = pucs.ok("merge", "replay", str(history), "--show", name)
        assert text.startswith(f"{merge[:10]}:notes.txt: conflict\n")
        assert "GIT'S CONFLICT\n  <<<<<<< ours\n  three\n  =======\n  two\n  >>>>>>> theirs\n" in text
        assert "\n  -three\n" in text or "\n  +two\n" in text
    [document] = pucs.json("merge", "replay", str(history), "--show", "notes.txt")
    assert "+two" in document["differences"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("/nowhere",), 2, "There is no directory /nowhere."),
        ((".", "--since", "yesteryear"), 2, "'yesteryear' is neither a date nor a commit here."),
        ((".", "--since", "--all"), 2, "names no revision"),
        ((".", "--path", "[a"), 2, "unclosed bracket"),
        ((".", "--limit", "0"), 2, "--limit"),
        ((".", "--accept", "all"), 2, "--accept"),
        ((".", "--show", "missing.py"), 1, "none has a conflict in missing.py"),
        ((".", "--show", "abcdef1:notes.txt"), 1, "'abcdef1' names no merge"),
    ],
)
def test_wrong_questions_are_answered(
    history: Path, pucs: Pucs, arguments: tuple[str, ...], status: int, words: str
) -> None:
    """Each with what is wrong, and the exit status of its kind."""
    where = [str(history) if one == "." else one for one in arguments]
    said = pucs("merge", "replay", *where)
    assert (said.status, words in said.err) == (status, True), said.err


def test_outside_any_repository_it_says_so(tmp_path: Path, pucs: Pucs) -> None:
    """And that it needs one."""
    said = pucs("merge", "replay", str(tmp_path))
    assert said.status == 4
    assert "is in no git repository" in said.err


def test_an_interrupted_replay_tells_what_it_has(
    history: Path, pucs: Pucs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest merge is through, the other is not."""
    whole = replaying.replay

    def interrupted(*args: object, **rest: object) -> Iterator[object]:
        for one in whole(*args, **rest):  # type: ignore[arg-type]
            yield one
            if isinstance(one, PastMerge):
                raise KeyboardInterrupt

    monkeypatch.setattr(replaying, "replay", interrupted)
    said = pucs("merge", "replay", str(history))
    assert said.status == 130
    assert "1 merge of 2 replayed" in said.out
    assert "Interrupted; this is what there was by then." in said.out


def test_words_from_files_cannot_move_the_cursor() -> None:
    """Escapes in names and contents are shown as what they are."""
    merge = PastMerge(commit="a" * 40, ours="b" * 40, theirs="c" * 40, committed_at_s=0)
    conflict = PastConflict(
        merge=merge,
        path="a\x1b[2J.txt",
        blobs=("", "1", "2"),
        base=None,
        ours=b"\x1b[31mone\n",
        theirs=b"two\n",
        committed=b"one\x1b[0m\n",
        merged=b"<<<<<<< ours\n\x1b[31mone\n=======\ntwo\n>>>>>>> theirs\n",
        conflicts=1,
    )
    told = replaying.again(conflict, accept=Tier.AUTO, clock=lambda: 0.0)
    account = replaying.Account("/x\x1b[1m", Tier.AUTO, 1)
    account.add(told)
    assert "\x1b" not in "\n".join([*shown(told), *lines(account.document())])


def test_the_help_names_the_limit_that_counts() -> None:
    """The command's default is the use case's."""
    assert door.MERGES_SHOWN == replaying.MERGES_MAX
