"""Moving a session at the command line: files that stay, disks that fail, and stores that are named."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pucs.coordinator.context import unit
from pucs.wiring import open_context

if TYPE_CHECKING:
    from pucs.testing.postgres import PostgresServer
    from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git
FILE = "../S-1.session"
OTHER = "../other/state.db"
TASKS = """\
tasks:
- {id: %s, title: "feat: more", stream: app, files: [app/a.py], command: "echo '%s = 1' >>app/a.py"}
"""


def test_a_session_leaves_and_arrives(session: Path, pucs: Pucs) -> None:
    """What was written is its owner's, the store it enters is made, hooks are told where the session is, and nobody overwrites."""
    pucs.ok("init")  # marks for hooks that this copy of the repository has a session of its own
    assert pucs.json("export", "--move", FILE, "--dry-run")["file"] == ""
    assert not Path(FILE).exists()
    left = pucs.json("export", "--move", FILE)
    assert (left["session"], left["moves"], left["again"]) == ("S-1", 1, False)
    assert Path(FILE).stat().st_mode & 0o777 == 0o600
    assert not Path(".git/pucs/active").exists()
    assert pucs("export", "--move", FILE).status == 1
    assert pucs.json("export", "--move", "../again.session")["again"]
    for refused in (
        ["init"],
        ["lock", "app/a.py", "--agent", "ada"],
        ["lock", "app/a.py", "--agent", "ada", "--session", "S-1"],
    ):
        said = pucs(*refused)
        assert (said.status, "was moved from this store" in said.err) == (1, True)
    assert "(moved)" in pucs.ok("status")
    missing = pucs("import", FILE, "--store", OTHER, "--dry-run")
    assert (missing.status, "leave out --dry-run" in missing.err) == (4, True)
    came = pucs.json("import", FILE, "--store", OTHER)
    assert (came["session"], came["back"], came["rows"]["streams"]) == ("S-1", False, 2)
    assert f"store={came['store']}\n" in Path(".git/pucs/active").read_text()
    assert "at work in" in pucs("import", FILE).err
    assert pucs.json("lock", "app/a.py", "--agent", "ada", "--store", OTHER)["granted"]
    assert "ada holds app/a.py" in pucs("export", "--move", "../b.session", "--store", OTHER).err
    pucs.ok("unlock", "--agent", "ada", "--store", OTHER)
    pucs.ok("export", "--move", "../b.session", "--store", OTHER)
    assert "is back in" in pucs.ok("import", "../b.session")
    assert [entry["action"] for entry in map(json.loads, pucs.ok("log", "--json").splitlines())].count(
        "session moved"
    ) == 2


def test_what_cannot_be_asked_for_changes_nothing(session: Path, pucs: Pucs) -> None:
    """Options that do not go together, files among others, another session's name, a place that is none."""
    for wrong in (["--move", FILE, "--force"], ["--move", FILE, "--dir", "x"], ["--move", FILE, "--list"]):
        assert pucs("export", *wrong).status == 2
    nowhere = pucs("export", "--move", "README.md/S-1.session")
    assert (nowhere.status, "Nothing was changed" in nowhere.err) == (4, True)
    assert "(active)" in pucs.ok("status")
    pucs.ok("export", "--move", FILE)
    assert pucs("import", FILE, "pucs.yaml").status == 2
    named = pucs("import", FILE, "--session", "S-2", "--store", OTHER)
    assert (named.status, "holds session S-1" in named.err, Path(OTHER).exists()) == (2, True, False)


@pytest.mark.slow
@pytest.mark.process
def test_a_disk_that_is_full_leaves_the_session_whole(session: Path, pucs: Pucs) -> None:
    """It is closed by then; the words say so, no part of a file is left, and the same command goes on elsewhere."""
    context = open_context(".")
    with unit(context) as opened:
        for _ in range(40):
            opened.log("said much", words="x" * 50_000)
    context.store.close()
    with closing(sqlite3.connect(".git/pucs/state.db")) as database:
        database.execute(
            "PRAGMA wal_checkpoint(TRUNCATE)"
        )  # so that the limit on files meets the new one alone
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 1024; exec pucs export --move {FILE}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "S-1 is closed here, and whole" in done.stderr) == (4, True)
    assert not list(Path("..").glob("*S-1*"))
    assert pucs.json("export", "--move", FILE)["again"]


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.process
def test_a_run_goes_on_in_a_database_and_back(
    session: Path, pucs: Pucs, postgres: PostgresServer, schema: str
) -> None:
    """Tasks are done in the file, then in the database, then in the file; every commit is there, and every token grows."""
    database = postgres.url(schema=schema)
    places: list[list[str]] = [[], ["--store", database], []]
    for number, place in enumerate(places):
        tasks = Path(f"../tasks-{number}.yaml")
        tasks.write_text(TASKS % (f"t{number}", "abc"[number]), encoding="utf-8")
        pucs.ok("run", "--tasks", str(tasks), *place)
        assert pucs.ok("verify", *place)
        if number < len(places) - 1:
            pucs.ok("export", "--move", f"../{number}.session", *place)
            pucs.ok("import", f"../{number}.session", *places[number + 1])
    told = pucs.json("task", "list")
    assert [one["state"] for one in told] == ["done"] * 3
    branch = "pucs/session-S-1"
    shown = subprocess.run(["git", "show", f"{branch}:app/a.py"], capture_output=True, text=True, check=True)
    assert shown.stdout == "a = 1\na = 1\nb = 1\nc = 1\n"
    trailers = subprocess.run(
        ["git", "log", "--reverse", "--format=%(trailers:key=Pucs-Token,valueonly)", branch],
        capture_output=True,
        text=True,
        check=True,
    )
    tokens = [int(line) for line in trailers.stdout.split()]
    assert len(tokens) == 3
    assert tokens == sorted(set(tokens))
