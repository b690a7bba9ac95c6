"""The merge driver: git's own merges with it, three files by hand, and everything that may go wrong on the way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pucs.hooks import installing_merge, merge_driver

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Pucs

pytestmark = [pytest.mark.git, pytest.mark.process]
BASE = "def total(a, b):\n    return price(a, 1) + price(b, 2)\n"
OURS = BASE.replace("1", "10")
THEIRS = BASE.replace("2", "20")
BOTH = OURS.replace("2", "20")
"""What anybody would make of it; only lines are in conflict."""
HOPELESS = BASE.replace("1", "11")
"""What nobody can merge with OURS."""
SCRIPT = Path(merge_driver.__file__).with_name("pucs-merge")


def git(*arguments: str, at: str | Path = ".", **environment: str) -> SimpleNamespace:
    """Run git as a person would, and return status and what it said."""
    ended = subprocess.run(
        ["git", *arguments],
        cwd=at,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
    )
    return SimpleNamespace(status=ended.returncode, out=ended.stdout, err=ended.stderr)


def done(*arguments: str, at: str | Path = ".") -> str:
    """Run a git that has to succeed, and return its output."""
    ended = git(*arguments, at=at)
    assert ended.status == 0, ended.out + ended.err
    text: str = ended.out
    return text


@pytest.fixture
def forked(
    make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, pucs: Pucs
) -> Callable[..., Path]:
    """Return a function that makes a repository whose branches main and other change the same lines, with the driver."""

    def make(name: str = "cart.py", base: str = BASE, ours: str = OURS, theirs: str = THEIRS) -> Path:
        place = make_repository("shop", {name: base, "other.txt": "x\n"})
        monkeypatch.chdir(place)
        done("switch", "-qc", "other")
        Path(name).write_text(theirs, encoding="utf-8")
        done("commit", "-qam", "Theirs")
        done("switch", "-q", "main")
        Path(name).write_text(ours, encoding="utf-8")
        done("commit", "-qam", "Ours")
        pucs.ok("merge", "install", "--accept", "review", "--yes")
        return place

    return make


def test_a_merge_settles_what_lines_cannot(forked: Callable[..., Path]) -> None:
    """Git merges without a conflict, and one line says which rule did it; output is left to git."""
    forked()
    ended = git("merge", "-q", "-m", "Both", "other")
    assert ended.status == 0
    assert Path("cart.py").read_text(encoding="utf-8") == BOTH
    assert "pucs: cart.py: merged; settled " in ended.err
    assert "pucs" not in ended.out
    assert done("status", "--porcelain", "--ignored") == ""  # nothing is left lying about


def test_a_rebase_a_pick_a_revert_a_stash_and_a_tree_are_merged_as_well(forked: Callable[..., Path]) -> None:
    """Whatever asks git to merge a file asks the driver."""
    forked()
    tree = done("merge-tree", "--write-tree", "main", "other").strip()
    assert done("show", f"{tree}:cart.py") == BOTH

    done("switch", "-qc", "rebased", "other")
    done("rebase", "-q", "main")
    assert Path("cart.py").read_text(encoding="utf-8") == BOTH

    done("switch", "-qc", "picked", "main")
    done("cherry-pick", "other")
    assert Path("cart.py").read_text(encoding="utf-8") == BOTH
    done("revert", "--no-edit", "main")
    assert Path("cart.py").read_text(encoding="utf-8") == THEIRS

    done("switch", "-qc", "stashed", "main~1")
    Path("cart.py").write_text(THEIRS, encoding="utf-8")
    done("stash")
    done("reset", "-q", "--hard", "main")
    done("stash", "pop")
    assert Path("cart.py").read_text(encoding="utf-8") == BOTH
    done("reset", "-q", "--hard")

    done("format-patch", "-q", "-1", "other", "-o", ".git/patches")
    done("am", "-q", "-3", *map(str, Path(".git/patches").iterdir()))
    assert Path("cart.py").read_text(encoding="utf-8") == BOTH


def test_what_cannot_be_settled_is_a_conflict_as_git_leaves_it(forked: Callable[..., Path]) -> None:
    """The markers are in the file, the index has all three versions, and the merge can be taken back."""
    forked(theirs=HOPELESS)
    ended = git("merge", "-q", "-m", "Both", "other")
    assert ended.status == 1
    assert "pucs: cart.py: 1 conflict left" in ended.err
    text = Path("cart.py").read_text(encoding="utf-8")
    assert text.count("<<<<<<< ") == text.count("=======\n") == text.count(">>>>>>> ") == 1
    assert len(done("ls-files", "-u").splitlines()) == 3
    done("merge", "--abort")
    assert Path("cart.py").read_text(encoding="utf-8") == OURS


def test_gits_own_conflicts_are_one_word_away(forked: Callable[..., Path]) -> None:
    """With a variable git merges alone, and shows its own markers again, in a merge that goes on."""
    forked(base=BASE + "\n\nname = 1\n", ours=OURS + "\n\nname = 2\n", theirs=THEIRS + "\n\nname = 3\n")
    ended = git("merge", "-q", "-m", "Both", "other", PUCS_MERGE="off")
    assert (ended.status, ended.err) == (1, "")
    alone = Path("cart.py").read_text(encoding="utf-8")
    assert BOTH not in alone
    done("checkout", "-m", "cart.py")
    assert Path("cart.py").read_text(encoding="utf-8").startswith(BOTH)
    git("checkout", "-m", "cart.py", PUCS_MERGE="off")
    names = re.compile(
        "(?<=<<<<<<<) .*|(?<=>>>>>>>) .*"
    )  # which some versions of git tell a driver, and others do not
    assert names.sub("", Path("cart.py").read_text(encoding="utf-8")) == names.sub("", alone)
    assert done("status", "--porcelain", "--ignored") == "UU cart.py\n"


def test_conflicts_show_the_base_where_git_is_told_to_show_it(forked: Callable[..., Path]) -> None:
    """What is left has the style that the person has chosen, also where some of it was settled."""
    apart = "\n\ndef kept():\n    return 1\n\n\nname = 'base'\n"
    sides = [apart.replace("base", side) for side in ("main", "other")]
    forked(base=BASE + apart, ours=OURS + sides[0], theirs=THEIRS + sides[1])
    done("config", "merge.conflictStyle", "diff3")
    assert git("merge", "-q", "-m", "Both", "other").status == 1
    text = Path("cart.py").read_text(encoding="utf-8")
    assert text.startswith(BOTH)
    left = [line for line in text.splitlines() if line.startswith(("<", "|", "=", ">", "name"))]
    assert [line if line.startswith("name") else line[:7] for line in left] == [
        "<<<<<<<",
        "name = 'main'",
        "|||||||",
        "name = 'base'",
        "=======",
        "name = 'other'",
        ">>>>>>>",
    ]


def test_a_linked_worktree_and_a_foreign_environment_change_nothing(
    forked: Callable[..., Path], tmp_path: Path
) -> None:
    """The driver counts in all worktrees, below the top, and where hooks have set git's variables."""
    place = forked()
    done("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), "main")
    done("merge", "-q", "-m", "Both", "other", at=tmp_path / "linked")
    assert (tmp_path / "linked/cart.py").read_text(encoding="utf-8") == BOTH

    below = place / "below"
    below.mkdir()
    ended = git(
        "merge", "-qm", "Both", "other", at=below, GIT_DIR=str(place / ".git"), GIT_WORK_TREE=str(place)
    )
    assert ended.status == 0, ended.err
    assert Path("cart.py").read_text(encoding="utf-8") == BOTH


@pytest.mark.parametrize(
    "name",
    [
        "-x.py",
        "a b'c\"d.py",
        "$(touch gone);`touch gone`.py",
        "%A%P%%.py",
        "new\nline.py",
        os.fsdecode(b"caf\xe9.py"),
        "--.py",
    ],
)
def test_a_name_is_only_a_name(forked: Callable[..., Path], name: str) -> None:
    """Names that look like options, commands or placeholders are merged like others, and move no cursor."""
    forked(name)
    ended = git("merge", "-q", "-m", "Both", "other")
    assert ended.status == 0, ended.err
    assert Path(name).read_text(encoding="utf-8") == BOTH
    assert len(ended.err.splitlines()) == 1
    assert not Path("gone").exists()


def test_branches_that_merged_each_other_leave_it_to_git(forked: Callable[..., Path]) -> None:
    """Their base is a merge that git made for itself, with conflicts in it: it says nothing about who changed what."""
    forked(theirs=HOPELESS)
    for branch, other, text in (("main", "other", "10, 0"), ("other", "main~1", "11, 0")):
        done("switch", "-q", branch)
        git("merge", "-q", "-m", "Both", other if branch == "main" else "main~1")
        Path("cart.py").write_text(BASE.replace("1", text), encoding="utf-8")
        done("commit", "-qam", "Both")
    done("switch", "-q", "main")
    assert len(done("merge-base", "--all", "main", "other").split()) == 2
    ended = git("merge", "-q", "-m", "Both", "other")
    assert "<<<<<<<<< " in done("show", ":1:cart.py")
    assert (ended.status, "as git found it" in ended.err) == (1, True)


def test_a_file_added_on_both_sides_has_no_base(forked: Callable[..., Path]) -> None:
    """An empty base is none: what both sides added is merged or left, and never lost."""
    forked()
    done("switch", "-q", "other")
    Path("new.py").write_text("import os\n", encoding="utf-8")
    done("add", "new.py")
    done("commit", "-qm", "New")
    done("switch", "-q", "main")
    Path("new.py").write_text("import re\n", encoding="utf-8")
    done("add", "new.py")
    done("commit", "-qm", "New")
    git("merge", "-q", "-m", "Both", "other")
    text = Path("new.py").read_text(encoding="utf-8")
    assert "import os\n" in text
    assert "import re\n" in text


def test_a_missing_installation_leaves_gits_own_merge(
    forked: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, pucs: Pucs
) -> None:
    """Where the program is gone, git merges as without it: with the same conflicts."""
    monkeypatch.setattr(installing_merge, "SCRIPT", "pucs-merge-that-is-gone")
    forked()
    ended = git("merge", "-q", "-m", "Both", "other")
    assert ended.status == 1
    with_driver = Path("cart.py").read_bytes()
    done("merge", "--abort")
    pucs.ok("merge", "uninstall", "--yes")
    git("merge", "-q", "-m", "Both", "other")
    without = Path("cart.py").read_bytes()
    assert with_driver == without.replace(b"<<<<<<< HEAD", b"<<<<<<< ours").replace(
        b">>>>>>> other", b">>>>>>> theirs"
    )


def test_the_installation_may_lie_anywhere(
    forked: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its path may hold what the shell, git's configuration or git's placeholders would take for something else."""
    odd = tmp_path / 'it\'s \\ %A "$(touch gone)" # ;'
    odd.mkdir()
    (odd / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(odd / "python"))
    forked()
    ended = git("merge", "-q", "-m", "Both", "other")
    assert ended.status == 0, ended.err
    assert Path("cart.py").read_text(encoding="utf-8") == BOTH
    assert not Path("gone").exists()


class Three:
    """Three files, and the shell program called as git calls it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.python = sys.executable
        self.versions(BASE.encode(), OURS.encode(), THEIRS.encode())

    def versions(self, base: bytes, ours: bytes, theirs: bytes) -> None:
        """Write the three files."""
        for name, content in (("O", base), ("A", ours), ("B", theirs)):
            (self.place / name).write_bytes(content)

    def __call__(self, *labels: str, size: str = "7", path: str = "cart.py") -> SimpleNamespace:
        """Return status, error output, and what is in ours then."""
        names = ["O", "A", "B", size, path, *(labels or ("%S", "%X", "%Y"))]
        imports = installing_merge._imports()
        ended = subprocess.run(
            ["sh", str(SCRIPT), self.python, imports, "review", *names],
            cwd=self.place,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.stdout == ""
        assert sorted(path.name for path in self.place.iterdir()) == ["A", "B", "O"]  # and nothing else
        return SimpleNamespace(
            status=ended.returncode, err=ended.stderr, result=(self.place / "A").read_bytes()
        )

    def program(self, text: str) -> None:
        """Let this stand in the place of Python."""
        program = self.place.with_name("python")
        program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        program.chmod(0o755)
        self.python = str(program)


@pytest.fixture
def three(tmp_path: Path) -> Three:
    place = tmp_path / "three"
    place.mkdir()
    return Three(place)


def test_without_conflict_no_python_starts(three: Three) -> None:
    """A merge that lines can do costs git's own merge."""
    three.python = "/nowhere/python"
    three.versions(b"a\nb\nc\nd\ne\n", b"A\nb\nc\nd\ne\n", b"a\nb\nc\nd\nE\n")
    said = three()
    assert (said.status, said.result, said.err) == (0, b"A\nb\nc\nd\nE\n", "")


@pytest.mark.parametrize(
    "text",
    [
        "kill -9 $$",
        "kill -SEGV $$",
        "exit 3",
        "exit 1",
        "echo out; echo err >&2; exit 77",
    ],
)
def test_a_python_that_dies_leaves_gits_own_merge(three: Three, text: str) -> None:
    """A kill, a crash and a bug are a conflict with git's markers."""
    three.program(text)
    said = three()
    assert said.status == 1
    assert said.result.startswith(b"def total(a, b):\n<<<<<<< ours\n")
    assert said.result.endswith(b">>>>>>> theirs\n")


def test_a_missing_python_leaves_gits_own_merge(three: Three) -> None:
    """An environment that was removed is told, and git's markers stay."""
    three.python = "/nowhere/python"
    said = three()
    assert said.status == 1
    assert b"<<<<<<< ours" in said.result
    assert "pucs doctor" in said.err


def test_the_driver_is_killed_in_the_middle_and_gits_result_is_there(three: Three) -> None:
    """Also when nobody is left to tidy up, the file holds git's result and is whole."""
    three.program("touch ../begun; kill -9 $PPID")
    with pytest.raises(AssertionError):  # its copy of ours is left
        three()
    assert three.place.with_name("begun").exists()
    assert b"<<<<<<< ours" in (three.place / "A").read_bytes()


def test_labels_sizes_and_line_ends_are_the_callers(three: Three) -> None:
    """Newer versions of git say how they call the sides; markers are as long as asked for; carriage returns stay."""
    if tuple(map(int, git("version").out.split()[2].split(".")[:2])) < (2, 44):
        said = three(size="12")
        assert said.status == 0
        three.versions(*(text.replace("\n", "\r\n").encode() for text in (BASE, OURS, HOPELESS)))
        said = three(size="12")
        assert b"\r\n<<<<<<<<<<<< ours" in said.result
        assert b"\r\n============" in said.result
    else:
        three.versions(*(text.encode() for text in (BASE, OURS, HOPELESS)))
        said = three("the base", "HEAD", "it's (theirs)", size="12")
        assert b"\n<<<<<<<<<<<< HEAD (total: both changed the same words)\n" in said.result
        assert b"\n>>>>>>>>>>>> it's (theirs)\n" in said.result


def test_binary_and_huge_files_are_gits(three: Three) -> None:
    """Ours stays where there are no lines; a huge file has git's markers."""
    three.versions(b"a\0b", b"a\0c", b"a\0d")
    said = three()
    assert (said.status, said.result) == (1, b"a\0c")
    huge = b"x = 1\n" * 200_000
    three.versions(BASE.encode() + huge, OURS.encode() + huge, THEIRS.encode() + huge)
    said = three()
    assert said.status == 1
    assert said.result.startswith(b"def total(a, b):\n<<<<<<< ours\n")
    assert "as git found it" in said.err


def test_missing_versions_leave_ours(three: Three) -> None:
    """Without a base to read nothing is merged, and nothing is lost."""
    (three.place / "O").unlink()
    (three.place / "O").mkdir()
    said = three()
    assert (said.status, said.result) == (1, OURS.encode())


@pytest.mark.parametrize("deaf", [False, True])
def test_a_merge_that_takes_too_long_ends(tmp_path: Path, *, deaf: bool) -> None:
    """After the limit the process ends as a conflict, also where it does not hear signals."""
    os.mkfifo(tmp_path / "O")  # nobody will ever write to it
    (tmp_path / "A").write_bytes(OURS.encode())
    blocked = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM});" if deaf else ""
    program = (
        f"{blocked}from pucs.hooks import merge_driver as it; it.LIMIT_S = 0.05; it.GRACE_S = 0.05; it.main()"
    )
    arguments = ["review", "O", "A", "A", "A", "7", "cart.py", "1", "ours", "theirs"]
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        "" if deaf else "pucs: cart.py: git's own merge stays: more was not found within 0 s\n"
    )
    assert (tmp_path / "A").read_bytes() == OURS.encode()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory outside any repository with three versions of a file."""
    for name, text in (("base", BASE), ("ours", OURS), ("theirs", THEIRS)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_three_files_are_merged_outside_any_repository(files: Path, pucs: Pucs) -> None:
    """The command merges into the second file; JSON says what was settled."""
    said = pucs(
        "merge", "driver", "--json", "--accept", "review", "base", str(files / "ours"), "theirs", "cart.py"
    )
    assert said.status == 0, said.err
    assert (files / "ours").read_text(encoding="utf-8") == BOTH
    assert '"merged": true' in said.out
    assert '"first_line": 2' in said.out


def test_a_guess_is_a_conflict_unless_it_is_accepted(files: Path, pucs: Pucs) -> None:
    """What is only probably right stays with git's markers, and the markers say that there is a proposal."""
    for name, more in (("base", ""), ("ours", " + 1"), ("theirs", " + 1 + tax(b)")):
        Path(name).write_text(f"def total(a, b):\n    return price(a){more}\n", encoding="utf-8")
    said = pucs("merge", "driver", "base", "ours", "theirs", "cart.py")
    assert (said.status, said.out) == (1, "")
    assert "<<<<<<< ours" in Path("ours").read_text(encoding="utf-8")
    assert "proposed" in said.err
    assert "what is proposed is taken with --accept review" in said.err


def test_lines_without_conflict_are_merged_without_a_word(files: Path, pucs: Pucs) -> None:
    """A kind of file that PUCS does not know is git's, and so is whatever lines can do."""
    Path("ours").write_text("# Prices\n\n\n\n" + BASE, encoding="utf-8")
    said = pucs("merge", "driver", "base", "ours", "theirs", "any.thing")
    assert (said.status, said.out, said.err) == (0, "", "")
    assert Path("ours").read_text(encoding="utf-8") == "# Prices\n\n\n\n" + THEIRS


def test_options_end_where_the_files_begin(files: Path, pucs: Pucs) -> None:
    """A file may be called like an option; a symlink to ours stays one, and its target keeps its mode."""
    Path("ours").chmod(0o640)
    Path("--json").symlink_to("ours")
    said = pucs("merge", "driver", "--accept", "review", "base", "--json", "theirs", "--help.py")
    assert (said.status, said.out) == (0, "")
    assert Path("--json").is_symlink()
    assert Path("ours").read_text(encoding="utf-8") == BOTH
    assert Path("ours").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in files.iterdir()) == ["--json", "base", "ours", "theirs"]


def test_no_result_at_all_is_told_apart_from_a_conflict(files: Path, pucs: Pucs) -> None:
    """A version that cannot be read makes git give up; binary content is a conflict in which ours stays."""
    said = pucs("merge", "driver", "missing", "ours", "theirs", "cart.py")
    assert said.status == 129
    assert "missing" in said.err
    assert Path("ours").read_text(encoding="utf-8") == OURS
    Path("theirs").write_bytes(b"\0")
    said = pucs("merge", "driver", "base", "ours", "theirs", "cart.py")
    assert said.status == 1
    assert Path("ours").read_text(encoding="utf-8") == OURS


def test_places_that_cannot_be_written_or_read(files: Path) -> None:
    """In a directory without write permission the file itself is written; what cannot be done is told, and changes nothing."""
    bound = (
        [] if os.geteuid() else ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    )  # permissions bind root as well then
    pucs = [*bound, str(Path(sys.executable).with_name("pucs")), "merge", "driver", "--accept", "review"]

    def call(command: list[str]) -> SimpleNamespace:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return SimpleNamespace(
            status=ended.returncode, err=ended.stderr, result=Path("ours").read_text("utf-8")
        )

    files.chmod(0o555)
    try:
        said = call([*pucs, "base", "ours", "theirs", "cart.py"])
        assert (said.status, said.result) == (0, BOTH)
        Path("ours").write_text(HOPELESS, encoding="utf-8")
        names = ["base", "ours", "theirs", "7", "cart.py", "%S", "%X", "%Y"]
        Path("theirs").write_text(OURS, encoding="utf-8")
        said = call([
            *bound,
            "sh",
            str(SCRIPT),
            sys.executable,
            installing_merge._imports(),
            "review",
            *names,
        ])
        assert (said.status, said.result.count("<<<<<<< ")) == (1, 1)
        Path("ours").write_text(OURS, encoding="utf-8")
        Path("theirs").write_text(THEIRS, encoding="utf-8")
        Path("ours").chmod(0o444)
        said = call([*pucs, "base", "ours", "theirs", "cart.py"])
        assert (said.status, said.result) == (129, OURS)
        Path("base").chmod(0)
        said = call([*pucs, "base", "ours", "theirs", "cart.py"])
        assert (said.status, said.result) == (129, OURS)
        assert "base" in said.err
    finally:
        files.chmod(0o755)


def test_the_driver_loads_only_what_a_merge_needs() -> None:
    """Git starts it for each file in conflict: no command line, no store, no processes."""
    program = "import sys, pucs.hooks.merge_driver, pucs.merge.python.language; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert {"pucs.merge.merging", "pucs.merge.python.language"} <= loaded
    assert not loaded & {
        "click",
        "rich",
        "apsw",
        "yaml",
        "msgspec",
        "subprocess",
        "asyncio",
        "pucs.wiring",
        "pucs.cli",
    }
