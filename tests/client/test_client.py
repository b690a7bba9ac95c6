"""``PUCSClient`` against a real repository and, where it takes two, real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs import PUCSClient
from pucs.agents.records import Phase
from pucs.conflicts.requests import WaiverState
from pucs.coordinator.landing import Landed
from pucs.core.errors import EnvironmentFailure, NotFound, Refused, Usage
from pucs.core.instants import parse_iso
from pucs.core.modes import Mode
from pucs.intents.records import Intent, Obstacle
from pucs.messages.handoffs import HandOffState
from pucs.messages.records import MessageKind
from pucs.streams.checks import TestResult
from pucs.wiring import open_context
from tests.client.conftest import IN_PROCESS, Reach, own_store, without_server

pytestmark = pytest.mark.git

FILES = {
    "pucs.yaml": "streams:\n  app: {files_pattern: app/}\n  lib: {files_pattern: lib/}\n",
    "app/a.py": "a = 1\n",
    "lib/b.py": "b = 1\n",
    "settings.py": "DEBUG = False\n",
}


@pytest.fixture
def shop(make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, reach: Reach) -> Path:
    """Stand in a repository with a session."""
    root = make_repository("shop", FILES)
    monkeypatch.chdir(root)
    reach(root)
    return root


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Other:
    """Another process that runs a few lines with a client of its own, one line at a time."""

    def __init__(self, agent: str, stream: str = "") -> None:
        start = (
            "import sys\nfrom pucs import PUCSClient\n"
            f"c = PUCSClient({agent!r}, {stream!r})\n"
            "for line in sys.stdin:\n    print(repr(eval(line)), flush=True)\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, line: str) -> None:
        """Let it begin something."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """Return what came of it."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, line: str) -> str:
        """Let it do something and return what came of it."""
        self.tell(line)
        return self.answer()

    def end(self) -> None:
        """Let it end in order."""
        self.process.communicate(timeout=20)


def test_answer_has_what_the_seeds_promise(shop: Path) -> None:
    """Granted, tokens by resource, an end in UTC, and the commit to build on."""
    with PUCSClient("ada", "app") as client:
        answer = client.acquire_locks(["app/a.py", "settings.py"], duration_min=5, task="T-1")
        assert answer.granted
        assert set(answer.tokens) == {"app/a.py", "settings.py"}
        assert all(isinstance(token, int) for token in answer.tokens.values())
        assert parse_iso(answer.expires_at or "") > 0
        assert set(answer.base.values()) == {git(shop, "rev-parse", "HEAD")}
        held = client.check_lock("app/a.py").holders
        assert [(lease.agent, lease.task) for lease in held] == [("ada", "T-1")]
        again = client.acquire_locks(["app/a.py"])
        assert again.granted, "asking again for what one holds is no conflict"
        renewed = client.renew_locks(duration_min=10)
        assert {lease.resource for lease in renewed} == {"app/a.py", "settings.py"}
    assert PUCSClient("bob").check_lock("app/a.py").holders == ()


def test_refusal_says_why(shop: Path) -> None:
    """Another's boundary and another's lease are answers, not exceptions; nothing is taken."""
    with PUCSClient("ada", "app") as ada:
        refused = ada.acquire_locks(["settings.py", "lib/b.py"])
        assert not refused.granted
        assert "lib/b.py belongs to stream lib" in refused.reason
        assert ada.check_lock("settings.py").holders == ()


@pytest.mark.process
def test_waiter_is_granted_in_the_release(shop: Path) -> None:
    """A second process waits its turn and is given the token after the first one's."""
    other = Other("bob", "app")
    with PUCSClient("ada", "app") as client:
        token = client.acquire_locks(["app/a.py"]).tokens["app/a.py"]
        assert "granted=False" in other.ask("c.acquire_locks(['app/a.py'])")
        other.tell("c.acquire_locks(['app/'], wait_s=30).tokens['app/']")
        watch = open_context(shop, store=own_store()).store
        with watch.read() as tx:
            version = watch.version()
            waiting = tx.requests.waiting()
        while not waiting:
            while watch.version() == version:
                os.sched_yield()
            version = watch.version()
            with watch.read() as tx:
                waiting = tx.requests.waiting()
        assert client.release_locks().resources == ("app/a.py",)
        assert int(other.answer()) > token
        watch.close()
    other.end()


@pytest.mark.process
def test_death_of_the_owner_frees_its_leases(shop: Path) -> None:
    """Killed with SIGKILL, a process holds nothing any more: the next one need not wait for the end of the lease."""
    other = Other("bob", "app")
    assert "granted=True" in other.ask("c.acquire_locks(['app/a.py'], duration_min=60)")
    with PUCSClient("ada", "app") as client:
        assert not client.acquire_locks(["app/a.py"]).granted
        other.process.send_signal(signal.SIGKILL)
        other.process.communicate(timeout=20)
        assert client.acquire_locks(["app/a.py"], wait_s=20).granted


@pytest.mark.process
def test_id_belongs_to_one_living_process(shop: Path) -> None:
    """A second process under the same name is refused while the first one lives; after that the name is free."""
    other = Other("bob", "app")
    assert "granted=True" in other.ask("c.acquire_locks(['app/a.py'])")
    client = PUCSClient("bob", "lib")
    with pytest.raises(Refused):
        client.register()
    other.end()
    PUCSClient("bob", "lib").register()


def test_unlanded_edit_is_landed_when_its_lease_is_given_up(shop: Path) -> None:
    """Releasing brings the edit to the stream's branch first; the person's checkout stays as it is."""
    with PUCSClient("ada", "app") as client:
        client.acquire_locks(["app/a.py"])
        Path("app/a.py").write_text("a = 2\n", encoding="utf-8")
        done = client.release_locks()
        assert (done.landed, done.parked) == (("app/a.py",), ())
    assert git(shop, "show", "pucs/stream/app-S-1:app/a.py") == "a = 2"
    assert git(shop, "status", "--porcelain") == "M app/a.py"


def test_leaving_the_block_keeps_the_work(shop: Path) -> None:
    """An exception in the block gives the leases up in order, with the edit kept."""

    def work() -> None:
        with PUCSClient("ada", "app") as client:
            client.acquire_locks(["app/a.py"])
            Path("app/a.py").write_text("a = 3\n", encoding="utf-8")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert git(shop, "show", "pucs/stream/app-S-1:app/a.py") == "a = 3"
    assert PUCSClient("bob").check_lock("app/a.py").holders == ()


def test_landing_needs_what_was_leased(shop: Path) -> None:
    """`land` brings leased work out; a change of another's file is not landed."""
    with PUCSClient("ada", "app") as client:
        client.acquire_locks(["app/a.py"])
        Path("app/a.py").write_text("a = 4\n", encoding="utf-8")
        landed = client.land("feat: four")
        assert landed.paths == ("app/a.py",)  # type: ignore[union-attr]
        client.log_change("explained four", ["app/a.py"], {"why": "because"})
    message = git(shop, "log", "-1", "--format=%s", "pucs/stream/app-S-1")
    assert message == "[PUCS-app] feat: four"
    logged = subprocess.run(
        ["pucs", "log", "--json"], capture_output=True, text=True, check=True, env=without_server()
    ).stdout
    assert "explained four" in logged
    assert '"why": "because"' in logged


def test_sync_does_not_write_to_a_persons_checkout(shop: Path) -> None:
    """Its owner is told how to take in what others landed."""
    with PUCSClient("ada", "app") as client:
        client.acquire_locks(["app/a.py"])
        Path("app/a.py").write_text("a = 5\n", encoding="utf-8")
        client.land()
        answer = client.sync()
    assert "git merge" in answer.remedy  # type: ignore[union-attr]


@pytest.mark.slow
@IN_PROCESS
@pytest.mark.process
def test_launched_agent_acts_for_its_supervisor(shop: Path, tmp_path: Path) -> None:
    """Inside a run the client finds its name in PUCS_AGENT, holds what the task declared, and its death is not the agent's."""
    program = tmp_path / "agent.py"
    program.write_text(
        "import os\nfrom pucs import PUCSClient\n"
        "with PUCSClient(os.environ['PUCS_AGENT']) as c:\n"
        "    assert c.acquire_locks(['app/new.py', 'app/a.py']).granted\n"
        "    open('app/new.py', 'w').write('n = 1\\n')\n"
        "    c.log_change('wrote it', ['app/new.py'])\n"
        "    assert c.land('feat: new').paths == ('app/new.py',)\n",
        encoding="utf-8",
    )
    tasks = tmp_path / "tasks.yaml"
    tasks.write_text(
        f"tasks:\n- {{id: one, stream: app, files: [app/a.py], command: \"python '{program}'\"}}\n",
        encoding="utf-8",
    )
    done = subprocess.run(["pucs", "run", "--tasks", str(tasks)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(shop, "show", "pucs/session-S-1:app/new.py") == "n = 1"


WRONG: list[Callable[[PUCSClient], object]] = [
    lambda c: c.acquire_locks("app/a.py"),
    lambda c: c.acquire_locks([]),
    lambda c: c.acquire_locks(["../x"]),
    lambda c: c.acquire_locks(["app/a.py"], mode="WEIRD"),
    lambda c: c.acquire_locks(["app/a.py"], duration_min=0),
    lambda c: c.acquire_locks(["app/a.py"], duration_min=float("nan")),
    lambda c: c.acquire_locks(["app/a.py"], wait_s=float("nan")),
    lambda c: c.log_change("", []),
    lambda c: c.log_change("x" * 10_000, []),
    lambda c: c.release_locks("app/a.py"),
]


def test_wrong_arguments_are_refused(shop: Path) -> None:
    """A string for a list, no files, a path outside, an unknown mode, times out of range: each is wrong use."""
    with PUCSClient("ada", "app") as client:
        for wrong in WRONG:
            with pytest.raises(Usage):
                wrong(client)


@pytest.mark.parametrize("store", [None, "http://127.0.0.1:1"])
@pytest.mark.parametrize("name", ["", "a b", "../x", "--help", "a\nb", "x.lock", "x" * 65])
def test_name_that_cannot_be_one_is_refused(name: str, store: str | None) -> None:
    """An agent's id becomes part of branches and paths; it is looked at before anything else."""
    with pytest.raises(Usage):
        PUCSClient(name, store=store)


@IN_PROCESS
def test_place_without_a_store_is_told(
    reach: Reach, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    """Outside a repository, and in one without a store, the words say what to do."""
    with pytest.raises(EnvironmentFailure, match="pucs init"):
        PUCSClient("ada", repo=make_repository("bare"))
    with pytest.raises(EnvironmentFailure, match="is not in a git repository"):
        PUCSClient("ada", repo=tmp_path)


def test_client_can_be_used_after_it_was_closed(shop: Path) -> None:
    """Closing gives up what is held and the connection, not the client."""
    client = PUCSClient("ada", "app")
    client.acquire_locks(["app/a.py"])
    client.close()
    assert client.acquire_locks(["app/a.py"]).granted
    client.close()
    client.close()


def test_unknown_stream_is_refused_once_it_acts(shop: Path) -> None:
    """A stream that does not exist is refused with the ones that do."""
    with pytest.raises(Refused, match="Streams: app, lib"):
        PUCSClient("ada", "ap").register()


def test_every_verb_answers_with_its_record(shop: Path) -> None:
    """Each method returns the records of its annotation, with what happened in them."""
    ada, bob = PUCSClient("ada", "app"), PUCSClient("bob", "lib")
    assert (ada.register().stream, bob.register().phase) == ("app", Phase.CLAIM_STREAM)
    planned = ada.signal_intent(["app/a.py"], "two", 5)
    assert (planned.success, planned.files) == (True, ("app/a.py",))
    met = bob.check_conflicts(["app/a.py"])
    assert (Obstacle.INTENT_OVERLAP, "ada") in {(one.kind, one.holder) for one in met}
    assert ada.acquire_locks(["app/a.py"], mode="INTENT").granted
    (lease,) = ada.renew_locks(5)
    assert (lease.mode, lease.owner is not None) == (Mode.INTENT, True)
    weaker = ada.release_locks(["app/a.py"], to="SHARED_READ")
    assert list(weaker.tokens) == ["app/a.py"]
    assert ada.check_lock("app/a.py").holders[0].mode is Mode.SHARED_READ
    asked = bob.request(["app/a.py"], "needs three", waive=True)
    assert asked.waivers[0].state is WaiverState.ASKED
    assert bob.report_conflict("does not fit", ["lib/b.py"], ["ada"]) > 0
    with pytest.raises(Usage):
        ada.negotiate_partition("app/a.py")
    assert bob.send_message("ada", "hello", details={"deep": [1, {"x": None}]}) > 0
    told = [one for one in ada.messages() if one.sender == "bob"]
    assert (told[-1].kind, told[-1].details["deep"]) == (MessageKind.REQUEST_HELP, [1, {"x": None}])
    assert ada.acknowledge([told[-1].id]) == (told[-1].id,)
    assert ada.run_tests("true").result is TestResult.PASSED
    assert ada.land().stream == "app"  # type: ignore[union-attr]
    assert isinstance(ada.land(), Landed)
    assert isinstance(ada.clear_intent(), Intent)
    assert ada.clear_intent() is None
    given = ada.handoff(
        "bob", ["a"], ["b"], ["c"], context={"test_status": "green", "notes": "n"}, incomplete=True
    )
    assert (given.state, given.contents.pending) == (HandOffState.OPEN, ("b",))
    assert bob.handoffs() == ada.handoffs() == [given]
    assert bob.accept_handoff(given.id).handoff.accepted_by == ("bob",)
    second = ada.handoff("bob", ["a"], context={"test_status": "green"}, incomplete=True)
    assert ada.close_handoff(second.id).state is HandOffState.CLOSED
    assert ada.post("signal_intent", files=["app/a.py"], description="three", estimated_duration_s=60).success
    assert ada.post("acquire_lock", resources=["app/a.py"], mode=Mode.EXCLUSIVE).granted
    with pytest.raises(NotFound):
        ada.complete_task("T-9")
    with pytest.raises(NotFound):
        ada.accept_partition(9)
    with pytest.raises(Refused) as refused:
        ada.handoff("bob")
    assert refused.value.fields["missing"]
    for client in (ada, bob):
        client.close()


def test_a_wait_ends_when_its_caller_gives_up(shop: Path) -> None:
    """It is asked about once a second; the answer is that of a wait in vain, and nothing is left in the line."""
    ada, bob = PUCSClient("ada", "app"), PUCSClient("bob", "app")
    assert ada.acquire_locks(["app/a.py"]).granted
    answer = bob.acquire_locks(["app/a.py"], wait_s=50, cancelled=lambda: True)
    assert (answer.granted, answer.waited_s < 30) == (False, True)
    assert ada.check_lock("app/a.py").waiting == ()
    for client in (ada, bob):
        client.close()
