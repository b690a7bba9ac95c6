"""``lock``, ``unlock``, ``locks``, ``queue``, ``cleanup`` and ``why``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git


def test_lock_grants_all_or_none_and_says_who_holds(session: Path, pucs: Pucs) -> None:
    """The answer has every field of DESIGN §7; a refusal names holder and end, and takes nothing."""
    document = pucs.json(
        "lock", "app/a.py", "settings.py", "--agent", "ada", "--stream", "app", "--task", "T-1"
    )
    assert set(document) == {
        "granted", "tokens", "expires_at", "queue_position", "wait_time", "estimated_wait_s", "reason", "base",
        "planned_by",
    }  # fmt: skip
    assert list(document["tokens"]) == ["app/a.py", "settings.py"]
    assert document["expires_at"].endswith("Z")
    said = pucs("lock", "README.md", "settings.py", "--agent", "bob")
    assert said.status == 1
    assert said.out.startswith("Not granted: ")
    assert "ada" in said.out
    assert "T-1" in said.out
    assert [lease["resource"] for lease in pucs.json("locks")] == ["app/a.py", "settings.py"]


def test_readers_share(session: Path, pucs: Pucs) -> None:
    """Two may rely on a file at once; a writer has to wait for both."""
    for agent in ("ada", "bob"):
        assert "holds settings.py until" in pucs.ok(
            "lock", "settings.py", "--agent", agent, "--mode", "shared"
        )
    assert pucs("lock", "settings.py", "--agent", "cy").status == 1
    assert pucs("lock", "settings.py", "--agent", "cy", "--mode", "intent").status == 0
    assert pucs("lock", "settings.py", "--agent", "dee", "--mode", "intent").status == 1
    assert "holds settings.py as SHARED_READ now" in pucs.ok("unlock", "--to", "shared", "--agent", "cy")
    said = pucs("unlock", "settings.py", "--to", "intent", "--agent", "cy")
    assert (said.status, said.out) == (
        1,
        "'cy' holds nothing of settings.py that is stronger than INTENT.\n",
    )


def test_functions_and_named_resources_are_leased_like_files(session: Path, pucs: Pucs) -> None:
    """Two agents in two functions of one file; a port that one of them has; a symbol that is not there."""
    Path("app/a.py").write_text("def one():\n    pass\n\n\ndef two():\n    pass\n", encoding="utf-8")
    pucs.ok("lock", "app/a.py::one", "res:port/8080", "--agent", "ada")
    pucs.ok("lock", "app/a.py::two", "--agent", "bob")
    assert pucs("lock", "app/a.py", "--agent", "cy").status == 1
    assert "res:port/8080 is held by ada" in pucs("lock", "res:port/8080", "--agent", "bob").out
    said = pucs("lock", "app/a.py::tow", "--agent", "cy")
    assert (said.status, "Did you mean two?" in said.err) == (2, True)
    assert "held by  ada" in pucs.ok("why", "res:port/8080")
    assert "stream   app" in pucs.ok("why", "app/a.py::one")


def test_the_usual_wait_is_told_where_it_is_known(session: Path, pucs: Pucs) -> None:
    """Unknown is said to be unknown; what was held before tells how long it may take."""
    pucs.ok("lock", "app/a.py", "--agent", "ada")
    assert "how long it usually takes is not known yet" in pucs.ok("why", "app/a.py")
    assert pucs.json("why", "app/a.py")["estimated_wait_s"] is None
    assert pucs.json("why", "app/a.py")["longest_wait_s"] > 0


def test_boundary_is_refused(session: Path, pucs: Pucs) -> None:
    """A file of another stream is refused with its name, and the refusal is on record."""
    said = pucs("lock", "lib/b.py", "--agent", "ada", "--stream", "app")
    assert said.status == 1
    assert "lib/b.py belongs to stream lib" in said.out
    recorded = pucs.json("conflicts")[0]
    assert (recorded["kind"], recorded["status"]) == ("BOUNDARY", "resolved")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--wait", "-1"], "--wait"),
        (["--duration", "0"], "--duration"),
        (["--duration", "nan"], "positive duration"),
        (["--wait", "nan"], "seconds to wait"),
        (["--mode", "weird"], "--mode"),
        (["--token", "x"], "No such option"),
    ],
)
def test_wrong_options_are_refused(options: list[str], words: str, session: Path, pucs: Pucs) -> None:
    """Values out of range are wrong use and name the option."""
    said = pucs("lock", "app/a.py", "--agent", "ada", *options)
    assert (said.status, words in said.err) == (2, True)


def test_unlock_gives_up_what_is_named(session: Path, pucs: Pucs) -> None:
    """The named leases, those of a token, or all; giving up nothing ends with 1."""
    tokens = pucs.json("lock", "app/a.py", "settings.py", "README.md", "--agent", "ada")["tokens"]
    assert pucs.ok("unlock", "README.md", "--agent", "ada") == "ada gave up README.md.\n"
    assert pucs("unlock", "README.md", "--agent", "ada").out == "'ada' holds none of README.md.\n"
    assert pucs("unlock", "--agent", "ada", "--token", str(tokens["app/a.py"] + 77)).status == 1
    assert pucs.json("unlock", "--agent", "ada", "--token", str(tokens["app/a.py"]))["resources"] == [
        "app/a.py"
    ]
    assert pucs.ok("unlock", "--agent", "ada") == "ada gave up settings.py.\n"
    assert pucs("unlock", "--agent", "a\nb").out == "'a\\nb' holds nothing.\n"


def test_tables_say_when_they_are_empty(session: Path, pucs: Pucs) -> None:
    """Without rows there is a sentence, and an empty list for programs."""
    assert pucs.ok("locks") == "No leases.\n"
    assert pucs.ok("queue") == "Nobody waits.\n"
    assert pucs.ok("cleanup") == "Nothing was over.\n"
    assert [pucs.json(name) for name in ("locks", "queue", "cleanup")] == [[], [], []]


def test_locks_are_listed_by_stream(session: Path, pucs: Pucs) -> None:
    """Aligned columns; stream names match without regard to case."""
    pucs.ok("lock", "app/a.py", "--agent", "ada", "--stream", "APP", "--duration", "5", "--task", "VAT")
    pucs.ok("lock", "lib/", "--agent", "bob", "--stream", "lib", "--duration", "1")
    assert pucs.ok("locks").splitlines() == [
        "RESOURCE  MODE       AGENT  STREAM  TASK  LEFT",
        "app/a.py  EXCLUSIVE  ada    app     VAT   5 min",
        "lib/      EXCLUSIVE  bob    lib           60 s",
    ]
    assert [lease["agent"] for lease in pucs.json("locks", "--stream", "LIB")] == ["bob"]


@pytest.mark.process
def test_waiting_is_seen_and_explained(session: Path, pucs: Pucs) -> None:
    """A waiter stands in the queue until the holder gives up, and is granted at once."""
    pucs.ok("lock", "app/a.py", "--agent", "ada", "--task", "VAT")
    watch = subprocess.Popen(["pucs", "log", "--follow", "--json"], stdout=subprocess.PIPE, text=True)
    waiter = subprocess.Popen(
        ["pucs", "lock", "app/", "--agent", "bob", "--wait", "30"], stdout=subprocess.PIPE, text=True
    )
    assert watch.stdout is not None
    for line in watch.stdout:
        if '"lock queued"' in line:
            break
    watch.terminate()
    watch.communicate()
    assert [(one["position"], one["agent"]) for one in pucs.json("queue", "app/a.py")] == [(1, "bob")]
    assert pucs.ok("queue").splitlines()[1].startswith("1  bob")
    explained = pucs.ok("why", "app/a.py")
    assert "held by  ada (EXCLUSIVE, for 'VAT') until" in explained
    assert "waiting  bob" in explained
    pucs.ok("unlock", "--agent", "ada")
    assert "bob holds app/" in waiter.communicate(timeout=30)[0]


def test_why_answers_for_a_free_file(session: Path, pucs: Pucs) -> None:
    """Stream, holder, queue and last change, each said also when there is none."""
    lines = pucs.ok("why", "README.md").splitlines()
    assert lines[:4] == [
        "README.md",
        "  stream   none: shared by all",
        "  held by  nobody",
        "  waiting  nobody",
    ]
    document = pucs.json("why", "app/a.py")
    assert (document["stream"], document["holders"], document["waiting"]) == ("app", [], [])


ODD_NAMES = (
    b"a b.py",
    b"new\nline.py",
    b"\xff\xfe.py",
    b"x::y.py",
    b"-rf",
    b"tab\t.py",
    "ü.py".encode(),
    b'"q".py',
)


def test_odd_names_survive_every_command(session: Path, pucs: Pucs) -> None:
    """Spaces, line breaks and bytes outside UTF-8 are locked, shown on one line each, and given up."""
    paths = [os.fsdecode(b"app/" + name) for name in ODD_NAMES]
    for path in paths:
        Path(path).write_text("x = 1\n", encoding="utf-8")
    held = list(json.loads(pucs.ok("lock", "--json", "--agent", "ada", "--", *paths))["tokens"])
    assert len(held) == len(paths)
    assert all(name.isprintable() for name in held)
    assert len(pucs.ok("locks").splitlines()) == len(paths) + 1
    for command in (
        ["status"],
        ["state"],
        ["log"],
        ["report"],
        ["why", paths[2]],
        ["queue"],
        ["log", "--file", "app/"],
    ):
        pucs.ok(*command)
        pucs.ok(*command, "--json")
    given = pucs.json("unlock", "--agent", "ada")["resources"]
    assert sorted(given) == sorted(held)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", ".git/config", "app/../../x", "link"])
def test_paths_outside_are_refused(name: str, session: Path, pucs: Pucs) -> None:
    """Above the root, absolute, in git's own directory, or through a symlink that leads out."""
    Path("link").symlink_to("/etc/hostname")
    said = pucs("lock", name, "--agent", "ada")
    assert (said.status, "Traceback" in said.err) == (2, False)
    assert pucs.json("locks") == []


@pytest.mark.parametrize(
    "name", ["--help", "../x", "a b", "-rf", "-x.lock", "a\nb", "\x1b[31m", "", "é", "x" * 300]
)
def test_hostile_names_are_refused_everywhere(name: str, session: Path, pucs: Pucs) -> None:
    """No agent, session, stream, task or branch can be called what git or a terminal would take for something else."""
    before = pucs.ok("log", "--json")
    assert pucs("lock", "app/a.py", "--agent", name).status == 2
    assert (
        pucs("task", "add", f"--id={name}", "--title", "x", "--stream", "app", "--command", "true").status
        == 2
    )
    if name:  # an empty name means none
        assert pucs("lock", "app/a.py", "--agent", "ada", "--stream", name).status in {1, 2}
        assert pucs("--session", name, "status").status == 1
        assert (
            pucs("task", "add", "--id", "x", "--title", "x", "--stream", name, "--command", "true").status
            == 1
        )
    assert pucs("land", f"--agent={name}").status in {1, 2}
    assert pucs("salvage", "restore", "--", name).status in {1, 2}
    assert pucs("finalize", f"--target={name}x").status in {1, 2}
    assert pucs.ok("log", "--json") == before
