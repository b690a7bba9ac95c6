"""``export`` and ``import`` at the command line: files written whole, strangers' files left alone, and what is said."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pucs.cli.export import local_wall_s

if TYPE_CHECKING:
    from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git
STATE = Path(".claude/state")


@pytest.fixture
def work(session: Path, pucs: Pucs) -> Path:
    """Let one agent hold a file."""
    pucs.ok("lock", "app/a.py", "--agent", "ada", "--stream", "app", "--task", "VAT")
    return session


def test_an_export_writes_every_file_in_its_place(work: Path, pucs: Pucs) -> None:
    """Below .claude/state of the main checkout, wherever one stands; nothing half-written is left beside them."""
    os.chdir("app")
    said = pucs.ok("export")
    os.chdir("..")
    assert "file_locks.json" in said
    names = {path.name for path in STATE.iterdir()}
    assert {
        "file_locks.json",
        "pucs_locks.json",
        "pucs_session.json",
        "agent_activity.jsonl",
        "logs",
    } <= names
    assert [name for name in names if name.startswith(".")] == [".pucs-export.json"]
    assert json.loads((STATE / "file_locks.json").read_text())["locks"]["app/a.py"]["agent"] == "ada"
    assert (STATE / "logs/ada.log").read_text().count("\n") >= 2
    assert (STATE / "file_locks.json").stat().st_mode & 0o777 == 0o644


def test_an_export_may_be_repeated(work: Path, pucs: Pucs) -> None:
    """Its own files are replaced, as often as one likes, also after something changed."""
    pucs.ok("export", "--dir", "out")
    pucs.ok("unlock", "--agent", "ada")
    found = pucs.json("export", "--dir", "out")
    assert (found["kept"], found["dry_run"]) == ([], False)
    assert json.loads(Path("out/file_locks.json").read_text())["locks"] == {}


@pytest.mark.parametrize("how", ["edited", "foreign", "link", "directory"])
def test_what_is_no_earlier_export_is_left_alone(work: Path, pucs: Pucs, how: str) -> None:
    """Nothing is written at all; with --force the old one is kept under a name of its own, each time another."""
    target = Path("out/file_locks.json")
    pucs.ok("export", "--dir", "out")
    target.unlink()
    if how == "link":
        target.symlink_to("elsewhere")
    elif how == "directory":
        target.mkdir()
    else:
        target.write_text("mine" if how == "foreign" else '{"locks": {}}')
    before = Path("out/pucs_locks.json").read_text()
    pucs.ok("lock", "settings.py", "--agent", "ada")
    refused = pucs("export", "--dir", "out")
    assert refused.status == 1
    assert "out/file_locks.json" in refused.err
    assert "--force" in refused.err
    assert Path("out/pucs_locks.json").read_text() == before
    found = pucs.json("export", "--dir", "out", "--force")
    assert [Path(kept).name for kept in found["kept"]] == ["file_locks.json.bak"]
    assert "settings.py" in target.read_text()
    if how == "foreign":
        assert Path("out/file_locks.json.bak").read_text() == "mine"
        target.write_text("mine again")
        assert pucs.json("export", "--dir", "out", "--force")["kept"][0].endswith("file_locks.json.bak1")


def test_a_garbled_manifest_vouches_for_nothing(work: Path, pucs: Pucs) -> None:
    """Files that say what the store says are fine; others count as somebody else's."""
    pucs.ok("export", "--dir", "out", "--only", "file_locks.json")
    for garbled in ("{", "[]", '{"file_locks.json": 3}'):
        Path("out/.pucs-export.json").write_text(garbled)
        pucs.ok("export", "--dir", "out", "--only", "file_locks.json")
    Path("out/.pucs-export.json").write_text("{")
    pucs.ok("unlock", "--agent", "ada")
    assert pucs("export", "--dir", "out", "--only", "file_locks.json").status == 1


def test_looking_writes_nothing(work: Path, pucs: Pucs) -> None:
    """--dry-run and --list only tell."""
    assert "WOULD BE WRITTEN" in pucs.ok("export", "--dry-run")
    assert "circuit_breaker.json" in pucs.ok("export", "--list")
    assert {"name", "home", "format", "exported", "imported", "later"} <= set(
        pucs.json("export", "--list")[0]
    )
    assert not STATE.exists()


def test_only_what_is_named_is_written(work: Path, pucs: Pucs) -> None:
    """An unknown name is wrong use."""
    pucs.ok("export", "--only", "pucs_session.json", "--only", "logs")
    assert sorted(path.name for path in STATE.iterdir()) == [".pucs-export.json", "logs", "pucs_session.json"]
    assert pucs("export", "--only", "nothing.json").status == 2


def test_the_log_goes_where_the_configuration_says(work: Path, pucs: Pucs) -> None:
    """logging.persist_path counts unless another directory is named."""
    with Path("pucs.yaml").open("a") as file:
        file.write("logging: {persist_path: logs/all.json}\n")
    pucs.ok("config", "apply")
    pucs.ok("export", "--only", "pucs_log.json")
    assert json.loads(Path("logs/all.json").read_text().splitlines()[0])["action"] == "session started"
    pucs.ok("export", "--only", "pucs_log.json", "--dir", "out")
    assert Path("out/pucs_log.json").exists()


def test_a_place_that_cannot_be_written_is_the_environments_fault(work: Path, pucs: Pucs) -> None:
    """Status 4, with the name of what refused."""
    Path("file").write_text("")
    failed = pucs("export", "--dir", "file/below")
    assert (failed.status, "cannot be written" in failed.err) == (4, True)


def test_a_directory_is_imported(work: Path, pucs: Pucs) -> None:
    """Every importable file in it; a summary of each, and status 1 if something had to be left."""
    pucs.ok("export", "--dir", "out")
    pucs.ok("unlock", "--agent", "ada")
    left = pucs("import", "out")
    assert left.status == 1
    assert "app/a.py: ada is at work here and asks for itself" in left.out
    document = json.loads(Path("out/file_locks.json").read_text())
    document["locks"]["app/a.py"]["agent"] = "eve"
    Path("out/file_locks.json").write_text(json.dumps(document))
    dry = pucs.ok("import", "out/file_locks.json", "--dry-run")
    assert "would take 1 item" in dry
    assert pucs.json("locks") == []
    (one,) = pucs.json("import", "out/file_locks.json")
    assert one == {
        "file": "out/file_locks.json",
        "taken": ["app/a.py"],
        "lines": 0,
        "known": 0,
        "left": [],
        "problems": [],
    }
    assert pucs.json("locks")[0]["agent"] == "eve"


def test_a_garbled_file_is_named_like_a_compiler_does(session: Path, pucs: Pucs) -> None:
    """File, line and column; status 1."""
    Path("agent_activity.jsonl").write_text(
        '{"timestamp": "2025-12-06T10:00:00", "agent": "a", "action": "x"}\n{"a" 1}\n'
    )
    said = pucs("import", "agent_activity.jsonl")
    assert said.status == 1
    assert "agent_activity.jsonl: took 1 line\n" in said.out
    assert "  agent_activity.jsonl:2:6: this is no JSON" in said.out


@pytest.mark.parametrize("name", ["nowhere", "app", "README.md"])
def test_what_is_no_state_file_is_wrong_use(session: Path, pucs: Pucs, name: str) -> None:
    """A missing file, a directory without any, a file of another name."""
    assert pucs("import", name).status == 2


def test_times_without_a_zone_are_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the designs' own code wrote them; a zone that is written counts."""
    assert local_wall_s("2025-12-06T10:00:00Z") == local_wall_s("2025-12-06T11:00:00+01:00") == 1765015200.0
    assert local_wall_s("2025-12-06T10:00:00") == 1765015200.0  # tests run in UTC
    with pytest.raises(ValueError, match="soon"):
        local_wall_s("soon")


def test_debug_entries_are_shown_when_asked_for(work: Path, pucs: Pucs) -> None:
    """logging.level is what is shown by default; everything is stored."""
    assert pucs("lock", "app/a.py", "--agent", "eve").status == 1
    assert "lock denied" not in pucs.ok("log")
    assert "lock denied" in pucs.ok("log", "--all")
    assert "lock denied" in pucs.ok("log", "--level", "DEBUG")
    with Path("pucs.yaml").open("a") as file:
        file.write("logging: {level: CONFLICT}\n")
    pucs.ok("config", "apply")
    assert pucs.ok("log") == "No entries.\n"
