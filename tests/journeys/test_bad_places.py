"""Places that fail: killed supervisors, two runs at once, full disks, clocks set back, stores and rights that are wrong."""

from __future__ import annotations

import os
import select
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from tests.journeys.conftest import Pipe, Place

pytestmark = [pytest.mark.git, pytest.mark.process]

EDIT = "id: one, stream: app, files: [app/a.py], command: "
UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
"""Root without the right to pass over permissions, for the tests' usual user."""


def unprivileged() -> tuple[str, ...]:
    """Return what to put before a command so that permissions bind it."""
    if os.geteuid() != 0:
        return ()
    assert shutil.which("setpriv"), "as root these tests need setpriv (util-linux), which every Debian has"
    return UNPRIVILEGED


def keeper_of(pid: int) -> int:
    """Return a descriptor of the process that keeps an agent's program: the agent counts as dead when that is."""
    while "pucs-keeper" not in Path(f"/proc/{pid}/comm").read_text():
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
        assert pid > 1, "nobody keeps it"
    return os.pidfd_open(pid)


def test_killed_supervisor_loses_nothing(place: Place, pipe: Pipe) -> None:
    """After kill -9 the agent is ended too, its edit is kept, and the next run finishes what was begun."""
    place.environment["PIPE"] = str(pipe.path)
    command = place.script(
        "echo half >>app/a.py\n[ -e ../again ] && exit 0\n: >../again\necho $$ >$PIPE\nsleep 600\n"
    )
    running = place.start("run", "--tasks", place.tasks(f'{EDIT}"{command}"'))
    program = int(pipe.next())
    agent, keeper = os.pidfd_open(program), keeper_of(program)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=30)
    assert select.select([keeper], [], [], 30)[0], "its keeper goes on living"
    os.close(keeper)
    status = place.json("status")
    assert status["agents"][0]["life"] == "dead"
    said = place.pucs("run")
    assert "1 task done, 0 failed, 0 left" in said.stdout
    with pytest.raises(ProcessLookupError):
        signal.pidfd_send_signal(agent, 0)
    os.close(agent)
    assert "half" in place.result("app/a.py")
    place.accounted()


@pytest.mark.slow
def test_two_runs_share_the_work(place: Place, pipe: Pipe, gate: Pipe) -> None:
    """A second run beside the first does what is left, waits for the rest, and both end well."""
    place.environment.update(PIPE=str(pipe.path), GATE=str(gate.path))
    slow = place.script("echo x >>app/a.py\necho waiting >$PIPE\nread line <$GATE\n")
    tasks = place.tasks(
        f'{EDIT}"{slow}"',
        "id: two, stream: lib, files: [lib/b.py], command: 'echo y >>lib/b.py; echo two >>$PIPE'",
    )
    first = place.start("run", "--tasks", tasks, "--agents", "1")
    assert pipe.next() == "waiting"
    second = place.start("run", "--tasks", tasks)
    assert pipe.next() == "two"
    gate.send("go")
    for running in (first, second):
        out, err = running.communicate(timeout=30)
        assert running.returncode == 0, out + err
        assert "2 tasks done, 0 failed, 0 left" in out
    assert (place.result("app/a.py"), place.result("lib/b.py")) == ("a = 1\nx", "b = 1\ny")
    assert len(place.json("agents")) == 2
    place.accounted()


@pytest.mark.slow
def test_two_runs_that_begin_at_once_share_a_session(place: Place) -> None:
    """Neither has a session yet: one starts it, and the other joins."""
    tasks = place.tasks(f"{EDIT}'echo x >>app/a.py'")
    for running in [place.start("run", "--tasks", tasks) for _ in range(2)]:
        out, err = running.communicate(timeout=30)
        assert running.returncode == 0, out + err
    assert place.result("app/a.py") == "a = 1\nx"
    place.accounted()


@pytest.mark.slow
def test_damaged_store_is_left_as_it_is(place: Place) -> None:
    """Every command says that it is damaged and what to do; nothing is written over; the backup named puts it right."""
    place.pucs("init")
    place.pucs("lock", "app/a.py", "--agent", "ada")
    place.pucs("doctor", "--fix")
    store = place.root / ".git" / "pucs" / "state.db"
    for beside in store.parent.glob("state.db-*"):
        beside.unlink()
    store.write_bytes(b"not a database " * 300)
    before = store.read_bytes()
    for command in (
        ["status"],
        ["init"],
        ["run"],
        ["lock", "app/a.py", "--agent", "bob"],
        ["log"],
        ["report"],
    ):
        said = place.pucs(*command, status=4)
        assert "is damaged" in said.stderr or "not a database" in said.stderr, said.stderr
        assert "backup" in said.stderr
    assert store.read_bytes() == before
    said = place.pucs("doctor", status=1)
    backup = next(word for word in said.stdout.split() if "/state-" in word and word.endswith(".db"))
    store.unlink()
    shutil.copy(backup, store)
    assert [lease["agent"] for lease in place.json("locks")] in (["ada"], [])
    place.pucs("status")


@pytest.mark.slow
def test_newer_store_is_refused(place: Place) -> None:
    """A store that a later PUCS has written is not touched by this one."""
    place.pucs("init")
    connection = apsw.Connection(str(place.root / ".git" / "pucs" / "state.db"))
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    for command in (["status"], ["init"], ["run"], ["lock", "app/a.py", "--agent", "ada"]):
        said = place.pucs(*command, status=4)
        assert "has schema 999" in said.stderr
        assert "Update PUCS." in said.stderr


@pytest.mark.slow
def test_place_of_worktrees_is_named_when_it_cannot_be_written(place: Place) -> None:
    """Without the right to write beside the repository the words name the setting that moves the worktrees."""
    tasks = place.tasks(f"{EDIT}'echo x >>app/a.py'")
    parent = place.root.parent
    prefix = unprivileged()
    parent.chmod(0o555)
    try:
        said = place.pucs("run", "--tasks", tasks, status=None, prefix=prefix)
    finally:
        parent.chmod(0o755)
    assert said.returncode in {1, 4}
    assert "worktrees.path" in said.stdout + said.stderr
    place.accounted()
    (place.root / "pucs.yaml").write_text(
        (place.root / "pucs.yaml").read_text(encoding="utf-8")
        + "worktrees: {path: '../{repo}.made/{agent}'}\n",
        encoding="utf-8",
    )
    place.pucs("config", "apply")
    place.pucs("run")
    assert place.result("app/a.py") == "a = 1\nx"


@pytest.mark.slow
def test_git_directory_that_cannot_be_written_is_told(place: Place) -> None:
    """Without the right to write to .git nothing can begin, and reading goes on where it can."""
    prefix = unprivileged()
    git_directory = place.root / ".git"
    git_directory.chmod(0o555)
    try:
        for command in (["init"], ["run", "--tasks", place.tasks(f"{EDIT}'true'")]):
            said = place.pucs(*command, status=4, prefix=prefix)
            assert str(git_directory) in said.stderr
            assert "ermission" in said.stderr
    finally:
        git_directory.chmod(0o755)
    place.pucs("init")


@pytest.mark.slow
def test_store_that_cannot_be_written_is_told(place: Place) -> None:
    """A store without write permission refuses leases in words and is not damaged by it."""
    place.pucs("init")
    prefix = unprivileged()
    directory = place.root / ".git" / "pucs"
    files = [path for path in directory.iterdir() if path.is_file()]
    for path in files:
        path.chmod(0o444)
    directory.chmod(0o555)
    try:
        said = place.pucs("lock", "app/a.py", "--agent", "ada", status=4, prefix=prefix)
        assert "state.db" in said.stderr
    finally:
        directory.chmod(0o755)
        for path in files:
            path.chmod(0o644)
    place.pucs("lock", "app/a.py", "--agent", "ada")


@pytest.mark.slow
@pytest.mark.parametrize(
    "blocks", [40, *(pytest.param(number, marks=pytest.mark.slow) for number in (0, 100, 160))]
)
def test_limit_on_file_sizes_loses_nothing(blocks: int, place: Place) -> None:
    """However little may be written, the run ends in words and soon; without the limit it goes on where it was."""
    tasks = place.tasks(f"{EDIT}'echo x >>app/a.py'")
    limited = ("sh", "-c", f'ulimit -f {blocks}; exec "$@"', "limited")
    said = place.pucs("run", "--tasks", tasks, status=None, prefix=limited)
    assert said.returncode in {0, 1, 4}, said.stdout + said.stderr
    if said.returncode:
        assert len(said.stdout + said.stderr) < 4000, said.stdout
    place.pucs("run", "--tasks", tasks)
    assert place.result("app/a.py") == "a = 1\nx"
    place.accounted()


@pytest.mark.slow
def test_full_store_refuses_and_recovers(place: Place) -> None:
    """A store at its limit of pages grants nothing more, tells it, and goes on when there is room."""
    place.pucs("init")
    limited = ("sh", "-c", 'ulimit -f 130; exec "$@"', "limited")
    number, said = 0, place.pucs("lock", "app/0.py", "--agent", "ada", prefix=limited)
    while said.returncode == 0 and number < 99:
        number += 1
        said = place.pucs("lock", f"app/{number}.py", "--agent", "ada", status=None, prefix=limited)
    assert (said.returncode, "limit" in said.stderr or "full" in said.stderr) == (4, True), said.stderr
    place.pucs("lock", "app/last.py", "--agent", "ada")
    held = [lease["resource"] for lease in place.json("locks")]
    assert held == sorted([*(f"app/{n}.py" for n in range(number)), "app/last.py"])


@pytest.mark.slow
def test_clock_set_back_keeps_leases(make_place: Callable[..., Place], tmp_path: Path) -> None:
    """Leases follow the machine's own time: with the wall clock a day back they neither end nor grow."""
    place = make_place()
    place.pucs("init")
    place.pucs("lock", "app/a.py", "--agent", "ada", "--duration", "30")
    back = tmp_path / "sitecustomize.py"
    back.write_text("import time\n_now = time.time\ntime.time = lambda: _now() - 86400\n", encoding="utf-8")
    place.environment["PYTHONPATH"] = str(tmp_path)
    assert place.pucs("lock", "app/a.py", "--agent", "bob", status=1).stdout.startswith("Not granted: ")
    assert place.pucs("cleanup").stdout == "Nothing was over.\n"
    left = place.json("status")["locks"][0]["left_s"]
    assert 1700 < left <= 1800
    place.pucs("lock", "lib/b.py", "--agent", "cy")
    place.pucs("unlock", "--agent", "ada")
    place.pucs("lock", "app/a.py", "--agent", "bob")
    sequence = [entry["seq"] for entry in place.json("state")["cross_log"]]
    assert sequence == sorted(sequence)
