"""Agents that are missing, fail, hang, leave children, talk too much, or write what they should not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.conftest import Pipe, Place

pytestmark = [pytest.mark.git, pytest.mark.process]

EDIT = "id: one, stream: app, files: [app/a.py], command: "
ODD = (
    b"a b.py",
    b"new\nline.py",
    b"\xff\xfe.py",
    b"x::y.py",
    b"-rf",
    b"tab\t.py",
    "ü.py".encode(),
    b'"q".py',
    b"p|`.md",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-program --now", "command not found (exit 127)"),
        ("echo lost >app/a.py; exit 1", "exit 1"),
        ("echo lost >app/a.py; kill -9 $$", "SIGKILL"),
    ],
)
def test_failure_is_told_and_work_is_kept(command: str, words: str, place: Place) -> None:
    """The reason is in the words; what was changed is on a salvage ref; a second run tries again."""
    tasks = place.tasks(f"{EDIT}'{command}'")
    said = place.pucs("run", "--tasks", tasks, status=1)
    assert words in said.stdout
    assert "1 failed" in said.stdout
    place.accounted()
    if "lost" in command:
        kept = place.json("salvage", "list")
        assert place.git("show", f"{kept[-1]['ref']}:app/a.py") == "lost"
    place.tasks(f"{EDIT}'echo found >app/a.py'")
    place.pucs("run", "--tasks", tasks)
    assert place.result("app/a.py") == "found"
    place.accounted()


@pytest.mark.slow
def test_agent_that_hangs_is_timed_out(make_place: Callable[..., Place], pipe: Pipe) -> None:
    """It is ended with all its children, its work is kept, and the words say how long it was waited for."""
    place = make_place(more="agents: {timeout_min: 0.01, attempts: 1}\n")
    place.environment["PIPE"] = str(pipe.path)
    command = place.script("echo half >app/a.py\nsleep 600 &\necho $! >$PIPE\nwait\n")
    said = place.pucs("run", "--tasks", place.tasks(f'{EDIT}"{command}"'), status=1)
    assert "timed out after 0.6 s" in said.stdout
    child = int(pipe.next())
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    place.accounted()


@pytest.mark.slow
def test_daemon_of_an_agent_does_not_outlive_its_task(place: Place, pipe: Pipe) -> None:
    """A child in a session of its own is ended with the task, which itself succeeds."""
    place.environment["PIPE"] = str(pipe.path)
    command = place.script(
        "echo x >>app/a.py\nsetsid sh -c 'echo $$ >$PIPE; exec sleep 600' >/dev/null 2>&1 &\n"
    )
    place.pucs("run", "--tasks", place.tasks(f'{EDIT}"{command}"'))
    child = int(pipe.next())
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    place.accounted()


@pytest.mark.slow
def test_flood_of_output_is_capped(place: Place) -> None:
    """An agent may print what it likes; what is kept of it is bounded, and the task succeeds."""
    command = place.script("head -c 60000000 /dev/zero | tr '\\0' x\necho x >>app/a.py\n")
    document = place.json("run", "--tasks", place.tasks(f'{EDIT}"{command}"'))
    assert document["ok"]
    sizes = [file.stat().st_size for file in Path(document["output"]).iterdir()]
    assert 0 < sum(sizes) < 20_000_000


@pytest.mark.slow
def test_large_file_lands(place: Place) -> None:
    """100 MB in the worktree are slow for nobody."""
    command = place.script("truncate -s 100M app/big.bin\n")
    place.pucs("run", "--tasks", place.tasks(f'id: one, stream: app, command: "{command}"'))
    assert place.git("cat-file", "-s", f"{place.json('status')['branch']}:app/big.bin") == "104857600"


@pytest.mark.slow
def test_odd_names_land_and_are_told(place: Place) -> None:
    """Names with spaces, line breaks and bytes outside UTF-8 go the whole way: edit, land, merge, log, report."""
    script = place.root.parent / "odd.py"
    script.write_text(
        f"for name in {ODD!r}:\n    open(b'app/' + name, 'w').write('x = 1')\n", encoding="utf-8"
    )
    place.pucs("run", "--tasks", place.tasks(f"id: one, stream: app, command: \"python '{script}'\""))
    listed = place.git("ls-tree", "-rz", "--name-only", place.json("status")["branch"], "app/")
    assert {os.fsencode(name).removeprefix(b"app/") for name in listed.split("\0")} >= set(ODD) - {
        b"\xff\xfe.py"
    }
    landed = next(entry for entry in place.json("report")["log"] if entry["action"] == "landed")
    assert len(landed["files"]) == len(ODD)
    for command in (["log"], ["log", "--json"], ["report"]):
        place.pucs(*command)
    place.accounted()


@pytest.mark.slow
def test_worktree_deleted_by_hand_is_made_again(place: Place) -> None:
    """The attempt that lost its place fails in words; the next one gets a new one and finishes."""
    command = place.script('[ $PUCS_ATTEMPT = 1 ] && cd / && rm -rf "$OLDPWD" && exit 0\necho x >>app/a.py\n')
    said = place.pucs("run", "--tasks", place.tasks(f'{EDIT}"{command}"'), status=None)
    assert "is not a worktree any more" in said.stdout
    assert "1 task done" in said.stdout
    assert place.result("app/a.py") == "a = 1\nx"
    place.accounted()


@pytest.mark.slow
def test_hook_that_refuses_fails_the_task(place: Place) -> None:
    """The user's pre-commit hook has the last word; what it refused is kept, and its words are in the reason."""
    hook = place.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no tabs, please >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    said = place.pucs("run", "--tasks", place.tasks(f"{EDIT}'echo tab >>app/a.py'"), status=1)
    assert "was refused: no tabs, please" in said.stdout
    assert "tab" in place.git("show", f"{place.json('salvage', 'list')[-1]['ref']}:app/a.py")
    place.accounted()
    hook.unlink()
    place.pucs("run", "--tasks", place.tasks(f"{EDIT}'echo tab >>app/a.py'"))
    assert place.result("app/a.py") == "a = 1\ntab"


@pytest.mark.slow
def test_signing_key_does_not_hang_anything(place: Place) -> None:
    """With signing switched on and a program that waits for a passphrase, commits in the background go on."""
    program = place.root.parent / "gpg"
    program.write_text("#!/bin/sh\nexec sleep 600\n", encoding="utf-8")
    program.chmod(0o755)
    for key, value in (
        ("commit.gpgSign", "true"),
        ("user.signingKey", "ABCD"),
        ("gpg.program", str(program)),
    ):
        place.git("config", key, value)
    place.pucs("run", "--tasks", place.tasks(f"{EDIT}'echo x >>app/a.py'"))
    assert place.result("app/a.py") == "a = 1\nx"


@pytest.mark.slow
def test_submodule_inside_is_left_alone(make_place: Callable[..., Place]) -> None:
    """A submodule stays what it was, and work beside it lands."""
    inner, place = make_place("inner"), make_place("shop")
    place.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.root), "app/sub")
    place.git("commit", "-qm", "Add a submodule")
    before = place.git("rev-parse", "HEAD:app/sub")
    place.pucs("run", "--tasks", place.tasks(f"{EDIT}'echo x >>app/a.py'"))
    assert place.result("app/a.py") == "a = 1\nx"
    assert place.git("rev-parse", f"{place.json('status')['branch']}:app/sub") == before
    place.accounted()


@pytest.mark.slow
def test_repository_made_by_an_agent_is_not_lost(place: Place) -> None:
    """A repository that an agent makes inside its worktree is neither taken for a change nor thrown away silently."""
    command = place.script("git init -q app/inner\necho deep >app/inner/x.py\necho x >>app/a.py\n")
    said = place.pucs("run", "--tasks", place.tasks(f'{EDIT}"{command}"'), status=None)
    assert "Traceback" not in said.stderr
    left = list(place.root.parent.glob("shop.pucs/*/app/inner/x.py"))
    kept = [place.git("ls-tree", "-r", one["ref"]) for one in place.json("salvage", "list")]
    assert left or any("app/inner" in tree for tree in kept), said.stdout


@pytest.mark.slow
def test_path_with_spaces_and_letters(make_place: Callable[..., Place]) -> None:
    """The repository may lie anywhere."""
    place = make_place("mein läden (neu)")
    place.pucs("run", "--tasks", place.tasks(f"{EDIT}'echo x >>app/a.py'"))
    assert place.result("app/a.py") == "a = 1\nx"
    place.accounted()


@pytest.mark.slow
def test_dirty_detached_checkout_is_left_as_it_is(place: Place) -> None:
    """Agents start from the commit; the person's edits and place stay, and they are told."""
    place.git("checkout", "-q", "--detach")
    (place.root / "app" / "a.py").write_text("mine\n", encoding="utf-8")
    said = place.pucs("run", "--tasks", place.tasks(f"{EDIT}'echo x >>app/a.py'"))
    assert "Note: HEAD is detached" in said.stdout
    assert "Note: Your checkout has 1 uncommitted change;" in said.stdout
    assert (place.root / "app" / "a.py").read_text(encoding="utf-8") == "mine\n"
    assert place.result("app/a.py") == "a = 1\nx"
    ended = place.pucs("finalize")
    assert "Take the result: git merge" in ended.stdout


@pytest.mark.slow
def test_ctrl_c_stops_and_the_next_run_goes_on(place: Place, pipe: Pipe) -> None:
    """SIGINT ends with 130, with the work kept; the next run finishes the task."""
    place.environment["PIPE"] = str(pipe.path)
    command = place.script(
        "echo half >>app/a.py\n[ -e ../again ] && exit 0\n: >../again\necho at work >$PIPE\nsleep 600\n"
    )
    running = place.start("run", "--tasks", place.tasks(f'{EDIT}"{command}"'))
    assert pipe.next() == "at work"
    os.kill(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, "Stopped. Nothing is lost; go on with: pucs run" in out) == (130, True), (
        out + err
    )
    assert place.json("locks") == []
    assert "half" in place.git("show", f"{place.json('salvage', 'list')[0]['ref']}:app/a.py")
    place.pucs("run")
    assert place.json("status")["tasks"]["done"] == 1
    assert place.result("app/a.py") == "a = 1\nhalf"
    place.accounted()
