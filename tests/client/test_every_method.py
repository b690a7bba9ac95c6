"""Every public method of ``PUCSClient`` does its work, in process and through a server, and comes back with the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pucs import PUCSClient
from pucs.coordinator import tasks
from pucs.coordinator.landing import Landed
from pucs.messages.handoffs import HandOff
from pucs.messages.records import Message
from pucs.tasks.records import Task, TaskState
from pucs.wiring import open_context
from tests.client.conftest import Reach, own_store

pytestmark = [pytest.mark.git, pytest.mark.slow]

FILES = {
    "pucs.yaml": "streams:\n  app: {files_pattern: app/}\n  lib: {files_pattern: lib/}\n",
    "app/a.py": "def one():\n    pass\n\n\ndef two():\n    pass\n",
    "lib/b.py": "b = 1\n",
}
MADE_OTHERWISE = {"acting_for", "over_http"}
"""Ways to make a client."""
CHANGED = FILES["app/a.py"].replace("two():\n    pass", "two():\n    return 2")
Step = Callable[[PUCSClient, PUCSClient], Any]


def land(client: PUCSClient) -> Any:
    Path("app/a.py").write_text(CHANGED)
    landed = client.land()
    assert isinstance(landed, Landed)
    return landed.paths


def read(client: PUCSClient) -> list[Message]:
    return [one for one in client.messages() if one.sender == "bob"]


def given(client: PUCSClient) -> HandOff:
    return client.handoff("bob", ["a"], context={"test_status": "green"}, incomplete=True)


def end(client: PUCSClient) -> bool:
    client.close()
    return True


STEPS: dict[str, tuple[Step, Any]] = {
    "register": (lambda ada, bob: (ada.register().id, bob.register().stream), ("ada", "lib")),
    "request": (
        lambda _, bob: [one.covered_by for one in bob.request(["app/a.py"], "both", waive=True).waivers],
        ["app"],
    ),
    "signal_intent": (lambda ada, _: ada.signal_intent(["app/a.py"], "make two exact", 5).success, True),
    "check_conflicts": (
        lambda _, bob: {str(one.kind) for one in bob.check_conflicts(["app/a.py"])},
        {"INTENT_OVERLAP", "BOUNDARY"},
    ),
    "acquire_locks": (lambda ada, _: list(ada.acquire_locks(["app/a.py"]).tokens), ["app/a.py"]),
    "check_lock": (lambda _, bob: [one.agent for one in bob.check_lock("app/a.py").holders], ["ada"]),
    "renew_locks": (lambda ada, _: [one.resource for one in ada.renew_locks(20)], ["app/a.py"]),
    "negotiate_partition": (
        lambda _, bob: (
            bob.signal_intent(["app/a.py"], "make one fast", 5).success,
            sorted(bob.negotiate_partition("app/a.py", "ada").scopes),
        ),
        (False, ["ada", "bob"]),
    ),
    "refuse_partition": (lambda ada, _: ada.refuse_partition(1, "no").why, "refused by ada: no"),
    "accept_partition": (
        lambda ada, bob: ada.accept_partition(bob.negotiate_partition("app/a.py").proposal).missing,
        ("bob",),
    ),
    "clear_intent": (lambda ada, _: getattr(ada.clear_intent(), "agent", None), "ada"),
    "land": (lambda ada, _: land(ada), ("app/a.py",)),
    "sync": (lambda _, bob: type(bob.sync()).__name__, "Synced"),
    "run_tests": (lambda ada, _: ada.run_tests("true").result, "passed"),
    "release_locks": (
        lambda ada, _: (ada.acquire_locks(["app/c.py"]).granted, ada.release_locks().resources),
        (True, ("app/c.py",)),
    ),
    "log_change": (lambda ada, _: ada.log_change("thought", ["app/a.py"], {"deep": [1, {"x": None}]}), None),
    "send_message": (lambda _, bob: bob.send_message("ada", "hello", details={"n": 1}) > 0, True),
    "messages": (lambda ada, _: [(one.text, dict(one.details)) for one in read(ada)], [("hello", {"n": 1})]),
    "acknowledge": (
        lambda ada, bob: (
            bob.send_message("ada", "again") > 0,
            len(ada.acknowledge([one.id for one in read(ada)])),
        ),
        (True, 1),
    ),
    "report_conflict": (lambda _, bob: bob.report_conflict("does not fit", ["lib/b.py"], ["ada"]) > 0, True),
    "complete_task": (lambda ada, _: ada.complete_task("T-1", "done so"), None),
    "handoff": (lambda ada, _: given(ada).state, "open"),
    "handoffs": (lambda _, bob: [(one.giver, one.to) for one in bob.handoffs()], [("ada", ("bob",))]),
    "accept_handoff": (lambda _, bob: bob.accept_handoff(1).handoff.accepted_by, ("bob",)),
    "close_handoff": (lambda ada, _: ada.close_handoff(given(ada).id).state, "closed"),
    "post": (
        lambda ada, _: ada.post("acquire_lock", resources=["app/a.py"], mode="EXCLUSIVE").granted,
        True,
    ),
    "close": (lambda ada, bob: (end(ada), bob.check_lock("app/a.py").holders, end(bob)), (True, (), True)),
}
"""One use of each method, in an order in which they make sense, and what comes of it."""


def test_no_method_is_left_out() -> None:
    """A method that is added has to be used here, too."""
    offered = {name for name, _ in inspect.getmembers(PUCSClient, callable) if not name.startswith("_")}
    assert offered - MADE_OTHERWISE == set(STEPS)


def test_every_method_does_its_work(
    make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, reach: Reach
) -> None:
    """What it returns is the same on every way."""
    root = make_repository("shop", FILES)
    monkeypatch.chdir(root)
    reach(root)
    context = open_context(root, store=own_store())
    tasks.import_tasks(context, tasks=[Task(id="T-1", title="feat: two", stream="app", prompt="p")])
    ada, bob = PUCSClient("ada", "app"), PUCSClient("bob", "lib")
    for name, (step, expected) in STEPS.items():
        assert step(ada, bob) == expected, name
    with context.store.read() as tx:
        (task,) = tx.tasks.all("S-1")
    context.store.close()
    assert (task.state, task.result) == (TaskState.DONE, "done so")
