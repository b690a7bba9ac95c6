"""Git's hooks: agents' commits are judged, a person's are not, and whatever hooks there were go on working."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pucs.coordinator.agents import register
from pucs.coordinator.landing import Landed, land
from pucs.coordinator.leases import acquire
from pucs.coordinator.places import prepare_worktree
from pucs.wiring import open_context

if TYPE_CHECKING:
    from tests.cli.conftest import Pucs

pytestmark = [pytest.mark.git, pytest.mark.process]
HOOKS = Path(".git/hooks")
OUR_NAMES = ["commit-msg", "pre-commit", "pre-push"]
GOOD = "[PUCS-app] feat: Count to two"


def git(*arguments: str, at: str | Path = ".", **environment: str) -> SimpleNamespace:
    """Run git as a person or an agent would, and return status and what it said."""
    ended = subprocess.run(
        ["git", *arguments],
        cwd=at,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return SimpleNamespace(status=ended.returncode, out=ended.stdout)


def hook(name: str, text: str) -> Path:
    HOOKS.mkdir(exist_ok=True)
    path = HOOKS / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def names() -> list[str]:
    return sorted(path.name for path in HOOKS.iterdir() if path.suffix != ".sample")


@pytest.fixture
def agent(session: Path, pucs: Pucs) -> Path:
    """Return the worktree of an agent of stream app, with PUCS's hooks in the repository; another agent holds README.md."""
    context = open_context(".")
    register(context, agent="one", stream="app")
    register(context, agent="two", stream="lib")
    acquire(context, agent="two", resources=["README.md"], task="T-2", stream="lib")
    place = Path(prepare_worktree(context, agent="one").worktree)
    context.store.close()
    pucs.ok("install", "git", "--yes")
    return place


def changed(place: Path, name: str) -> None:
    (place / name).write_text("changed = 2\n", encoding="utf-8")
    git("add", "-A", at=place)


def test_an_agents_own_commit_passes_and_lands(agent: Path) -> None:
    """What is of its stream, free and said as the protocol wants is committed, and lands."""
    changed(agent, "app/a.py")
    assert git("commit", "-qm", GOOD, at=agent).status == 0
    context = open_context(".")
    assert isinstance(land(context, agent="one"), Landed)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("lib/b.py", "lib/b.py belongs to stream lib"),
        ("README.md", 'README.md is held by two ("T-2") until '),
    ],
)
def test_an_agents_commit_of_a_foreign_path_is_refused(agent: Path, path: str, said: str) -> None:
    """Path, holder and what to do are named; nothing is committed."""
    changed(agent, path)
    before = git("rev-parse", "HEAD", at=agent).out
    ended = git("commit", "-qm", GOOD, at=agent)
    assert ended.status == 1
    assert said in ended.out
    assert "Leave it out" in ended.out
    assert git("rev-parse", "HEAD", at=agent).out == before


@pytest.mark.slow
def test_a_launched_agent_stands_in_its_worktree(agent: Path, session: Path, pucs: Pucs) -> None:
    """Its environment names the main checkout as the repository; what counts is where it commits."""
    changed(agent, "app/a.py")
    launched = {"PUCS_LAUNCH": "x", "PUCS_AGENT": "one", "PUCS_REPO": str(session)}
    assert git("commit", "-qm", GOOD, at=agent, **launched).status == 0
    changed(agent, "lib/b.py")
    assert "lib/b.py belongs to stream lib" in git("commit", "-qm", GOOD, at=agent, **launched).out


@pytest.mark.slow
def test_commit_all_is_judged_by_what_it_commits(agent: Path) -> None:
    """`git commit -a` uses an index of its own, which git names to the hook."""
    (agent / "lib/b.py").write_text("b = 3\n", encoding="utf-8")
    assert git("commit", "-qam", GOOD, at=agent).status == 1


@pytest.mark.slow
def test_a_message_out_of_form_is_refused(agent: Path) -> None:
    """The form is told, so that the next try succeeds."""
    changed(agent, "app/a.py")
    ended = git("commit", "-qm", "wip", at=agent)
    assert ended.status == 1
    assert "[PUCS-<stream>] <type>: <description>" in ended.out


@pytest.mark.slow
def test_a_merge_is_not_judged(agent: Path) -> None:
    """A merge brings others' landed files and git's own message."""
    git("switch", "-qc", "side", "main")
    changed(Path(), "lib/b.py")
    git("commit", "-qm", "Side")
    assert git("merge", "--no-ff", "side", at=agent).status == 0


@pytest.mark.slow
def test_a_detached_agent_is_still_one(agent: Path) -> None:
    """Another branch in the agent's worktree is no way out."""
    git("switch", "-qc", "mine", at=agent)
    changed(agent, "lib/b.py")
    assert git("commit", "-qm", GOOD, at=agent).status == 1


@pytest.mark.slow
def test_a_launched_agent_does_not_commit_elsewhere(agent: Path) -> None:
    """Whoever was launched for a worktree cannot commit in a person's checkout."""
    changed(Path(), "app/a.py")
    ended = git("commit", "-qm", GOOD, PUCS_LAUNCH="x", PUCS_AGENT="one")
    assert ended.status == 1
    assert f"Work and commit in {agent}" in ended.out


def test_pucs_commits_are_not_judged_twice(agent: Path) -> None:
    """Landing commits what was judged, whatever the hooks would say of the message."""
    (agent / "app/a.py").write_text("a = 2\n", encoding="utf-8")
    landed = land(open_context("."), agent="one", message="do things")
    assert isinstance(landed, Landed)
    assert git("commit", "--allow-empty", "-qm", "x", at=agent, PUCS_OWN_COMMIT="1").status == 0


def test_a_persons_commits_are_theirs(agent: Path) -> None:
    """On a person's branch anything goes, in any checkout, also what an agent holds; and PUCS is not even started."""
    shim = Path("bin")
    shim.mkdir()
    (shim / "pucs").write_text("#!/bin/sh\ntouch ../started started\n", encoding="utf-8")
    (shim / "pucs").chmod(0o755)
    for name in OUR_NAMES:
        text = (HOOKS / name).read_text(encoding="utf-8")
        lines = [f"  pucs={shim.absolute()}/pucs" if "pucs=/" in line else line for line in text.splitlines()]
        (HOOKS / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    changed(Path(), "lib/b.py")
    changed(Path(), "README.md")
    assert git("commit", "-qm", "wip").status == 0
    git("worktree", "add", "-q", "../mine", "-b", "topic")
    changed(Path("../mine"), "app/a.py")
    assert git("commit", "-qm", "wip", at="../mine").status == 0
    git("switch", "-q", "--detach", at="../mine")
    assert git("commit", "--allow-empty", "-qm", "wip", at="../mine").status == 0
    assert not Path("started").exists()
    changed(agent, "app/a.py")
    git("commit", "-qm", GOOD, at=agent)
    assert (agent / "started").exists(), "the stand-in would have been noticed"


def test_a_colleague_without_pucs_commits_in_the_same_clone(agent: Path) -> None:
    """Where the program is gone and none is on PATH all commits pass, an agent's as well."""
    for name in OUR_NAMES:
        text = (HOOKS / name).read_text(encoding="utf-8")
        lines = ["  pucs=/gone/bin/pucs" if "pucs=/" in line else line for line in text.splitlines()]
        (HOOKS / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = "/usr/bin:/bin"
    changed(Path(), "lib/b.py")
    assert git("commit", "-qm", "wip", PATH=path).status == 0
    changed(agent, "lib/b.py")
    assert git("commit", "-qm", "wip", at=agent, PATH=path).status == 0


@pytest.mark.slow
def test_an_installation_whose_python_is_gone_passes(agent: Path) -> None:
    """A script that cannot start is as good as none."""
    broken = Path("broken")
    broken.write_text("#!/gone/python\n", encoding="utf-8")
    broken.chmod(0o755)
    for name in OUR_NAMES:
        text = (HOOKS / name).read_text(encoding="utf-8")
        lines = [f"  pucs={broken.absolute()}" if "pucs=/" in line else line for line in text.splitlines()]
        (HOOKS / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    changed(agent, "lib/b.py")
    assert git("commit", "-qm", "wip", at=agent).status == 0


@pytest.mark.slow
def test_pushing(agent: Path, tmp_path: Path) -> None:
    """The session's branches and refs stay here, agents push nothing; a person pushes what is theirs, or says so."""
    remote = tmp_path / "remote.git"
    git("init", "-q", "--bare", str(remote))
    git("remote", "add", "origin", str(remote))
    assert git("push", "-q", "origin", "main").status == 0
    own = git("branch", "--show-current", at=agent).out.strip()
    for call in (["origin", own], ["origin", "main", own], ["origin", f"{own}:other"], ["--all", "origin"]):
        ended = git("push", "-q", *call)
        assert (ended.status != 0, "pucs finalize" in ended.out) == (True, True), call
    git("update-ref", "refs/pucs/salvage/x", "HEAD")
    assert git("push", "-q", "--mirror", "origin").status != 0
    git("commit", "--allow-empty", "-qm", GOOD, at=agent)
    for call in (["origin", "HEAD:topic"], ["-f", "origin", "HEAD:main"], ["origin", "main:other"]):
        assert "do not push" in git("push", "-q", *call, at=agent).out
    assert git("push", "-q", "origin", "HEAD:topic", at=agent, PUCS_PUSH="1").status == 0
    assert git("push", "-q", "origin", own, PUCS_PUSH="1").status == 0
    git("commit", "--amend", "--allow-empty", "-qm", "x")
    assert git("push", "-qf", "origin", "main").status == 0, "a person's force push is theirs"
    assert git("push", "-q", "origin", "main").status == 0, "nothing to push"


def test_existing_hooks_are_called_first_and_their_word_counts(agent: Path, pucs: Pucs) -> None:
    """Arguments, standard input and status are the kept hook's; uninstalling gives it its name and bytes back."""
    pucs.ok("uninstall", "git", "--yes")
    assert names() == []
    hook("commit-msg", 'echo "$#" >seen; [ ! -e refuse ]')
    hook("pre-push", 'cat >seen; echo "$1" >>seen; [ ! -e refuse ]').chmod(0o700)
    before = {path.name: (path.read_bytes(), path.stat().st_mode) for path in HOOKS.iterdir()}
    shown = pucs.ok("install", "git", "--yes")
    assert "commit-msg as commit-msg.before-pucs" in shown
    assert names() == sorted([*OUR_NAMES, "commit-msg.before-pucs", "pre-push.before-pucs"])
    assert git("commit", "--allow-empty", "-qm", "x").status == 0
    assert Path("seen").read_text(encoding="utf-8") == "1\n"
    git("init", "-q", "--bare", "../remote.git")
    assert git("push", "-q", "../remote.git", "main").status == 0
    assert Path("seen").read_text(encoding="utf-8").startswith("refs/heads/main ")
    Path("refuse").touch()
    assert git("commit", "--allow-empty", "-qm", "x").status == 1
    assert git("push", "-q", "../remote.git", "main:other").status != 0
    assert "Nothing is to be changed." in pucs.ok("install", "git")
    pucs.ok("uninstall", "git", "--yes")
    assert {path.name: (path.read_bytes(), path.stat().st_mode) for path in HOOKS.iterdir()} == before


@pytest.mark.slow
def test_a_symlinked_hook_stays_one(session: Path, pucs: Pucs) -> None:
    """It is called where it points to, and comes back as it was."""
    HOOKS.mkdir(exist_ok=True)
    (HOOKS / "pre-commit").symlink_to("../../check.sh")
    Path("check.sh").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    Path("check.sh").chmod(0o755)
    pucs.ok("install", "git", "--yes")
    assert git("commit", "--allow-empty", "-qm", "x").status == 1
    pucs.ok("uninstall", "git", "--yes")
    assert (HOOKS / "pre-commit").readlink() == Path("../../check.sh")


@pytest.mark.slow
def test_lines_added_since_are_kept(session: Path, pucs: Pucs) -> None:
    """Who wrote into our file keeps what they wrote, and the hook from before is still called."""
    hook("pre-commit", "echo before >>seen")
    pucs.ok("install", "git", "--yes")
    with (HOOKS / "pre-commit").open("a", encoding="utf-8") as file:
        file.write("echo after >>seen\n")
    pucs.ok("uninstall", "git", "--yes")
    assert git("commit", "--allow-empty", "-qm", "x").status == 0
    assert Path("seen").read_text(encoding="utf-8") == "before\nafter\n"
    assert "pucs install" not in (HOOKS / "pre-commit").read_text(encoding="utf-8")


@pytest.mark.slow
def test_pre_commit_installed_again_runs_once(agent: Path, pucs: Pucs) -> None:
    """It moves our hook aside, calls it and then itself; neither recursion nor a second run comes of that."""
    pucs.ok("uninstall", "git", "--yes")
    framework = """\
# File generated by pre-commit: https://pre-commit.com
[ -z "$RUNNING_LEGACY" ] || exit 9
[ ! -e "${0%/*}/pre-commit.legacy" ] || RUNNING_LEGACY=1 "${0%/*}/pre-commit.legacy" "$@" || exit 1
echo ran >>"$(git rev-parse --git-common-dir)/ran\""""
    ran = Path(".git/ran")
    hook("pre-commit", framework)
    pucs.ok("install", "git", "--yes")
    (HOOKS / "pre-commit").rename(HOOKS / "pre-commit.legacy")
    hook("pre-commit", framework)
    assert git("commit", "--allow-empty", "-qm", "x").status == 0
    assert ran.read_text(encoding="utf-8") == "ran\n"
    changed(agent, "lib/b.py")
    assert git("commit", "-qm", GOOD, at=agent).status == 1
    pucs.ok("uninstall", "git", "--yes")
    assert names() == ["pre-commit"]


@pytest.mark.slow
def test_the_real_pre_commit_framework_lives_beside(session: Path, pucs: Pucs) -> None:
    """Installed before and again after, prek runs its hooks once for each commit."""
    prek = shutil.which("prek")
    assert prek is not None, "it comes with the test dependencies"
    Path(".pre-commit-config.yaml").write_text(
        "repos: [{repo: local, hooks: [{id: say, name: say, language: system, entry: sh -c 'echo ran >>.git/ran',"
        " pass_filenames: false, always_run: true}]}]\n",
        encoding="utf-8",
    )
    for number in (1, 2):
        subprocess.run([prek, "install"], check=True, capture_output=True)
        pucs.ok("install", "git", "--yes")
        ended = git("commit", "--allow-empty", "-qm", "x")
        assert ended.status == 0, ended.out
        assert Path(".git/ran").read_text(encoding="utf-8") == "ran\n" * number


@pytest.mark.slow
def test_the_directory_that_git_looks_in_is_used(session: Path, tmp_path: Path, pucs: Pucs) -> None:
    """core.hooksPath counts, relative or not; a shared directory is said to be one, a committed one is refused."""
    elsewhere = tmp_path / "hooks of mine"
    git("config", "core.hooksPath", str(elsewhere))
    assert "count for every repository" in pucs.ok("install", "git", "--yes")
    assert sorted(path.name for path in elsewhere.iterdir()) == OUR_NAMES
    pucs.ok("uninstall", "git", "--yes")
    git("config", "core.hooksPath", "own/hooks")
    pucs.ok("install", "git", "--yes")
    assert sorted(path.name for path in Path("own/hooks").iterdir()) == OUR_NAMES
    git("add", "own")
    answer = pucs("uninstall", "git", "--yes")
    assert answer.status == 0
    Path("own/hooks/notes").write_text("", encoding="utf-8")
    git("add", "own")
    answer = pucs("install", "git", "--yes")
    assert (answer.status, "which is committed" in answer.err) == (1, True)
    git("config", "core.hooksPath", "/dev/null")
    answer = pucs("install", "git", "--yes")
    assert (answer.status, "/dev/null has to be a directory" in answer.err) == (4, True)
    git("config", "--unset", "core.hooksPath")
    shutil.rmtree(HOOKS, ignore_errors=True)
    HOOKS.symlink_to("../own/hooks")
    answer = pucs("install", "git", "--yes")
    assert (answer.status, "which is committed" in answer.err) == (1, True)


@pytest.mark.slow
def test_hooks_that_know_their_name_are_left_alone(session: Path, pucs: Pucs) -> None:
    """Kept under another name they would do nothing without a word, so the line to add is told instead."""
    mine = hook("pre-commit", 'exec ./hooks/$(basename "$0")')
    answer = pucs("install", "git", "--yes")
    assert answer.status == 1
    assert "pucs check files --staged || exit 1" in answer.err
    assert names() == ["pre-commit"]
    mine.unlink()
    hook("pre-commit", "exit 0")
    hook("pre-commit.before-pucs", "exit 1")
    answer = pucs("install", "git", "--yes")
    assert (answer.status, "there both" in answer.err) == (1, True)


@pytest.mark.slow
def test_check_files_by_hand(agent: Path, pucs: Pucs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, an agent, JSON; a person's checkout has nobody to judge, and without a session nothing is refused."""
    assert pucs.ok("check", "files", "lib/b.py") == "Nobody objects to 1 file.\n"
    answer = pucs("check", "files", "README.md", "--agent", "two", "--json")
    assert answer.status == 0
    monkeypatch.chdir(agent)
    (agent / "lib/b.py").write_text("", encoding="utf-8")
    answer = pucs("check", "files", "--json")
    assert answer.status == 1
    assert '"holder": ""' in answer.out
    assert '"stream": "lib"' in answer.out
    assert pucs("check", "files", "--agent", "nobody").status == 1
    assert pucs("check", "files", ".git/config").status == 2
    shutil.rmtree(agent.parent.parent / "shop/.git/pucs")
    assert pucs.ok("check", "files", "lib/b.py") == "Nobody objects to 1 file.\n"
