"""Plans through ``PUCSClient``: the example of 000 §9, and two processes that plan the same thing at one moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs import PUCSClient
from pucs.core.errors import Usage
from tests.client.conftest import Reach

pytestmark = pytest.mark.git

FILES = {
    "pucs.yaml": "streams:\n  execution: {files_pattern: execution/}\n",
    "execution/fill_predictor.py": "a = 1\n",
    "execution/fill_ml_model.py": "b = 1\n",
    "execution/model.py": "def fit():\n    pass\n\n\ndef predict():\n    pass\n",
}
PLANNER = """
import sys
from pucs import PUCSClient
client = PUCSClient(sys.argv[1])
client.register()
print("ready", flush=True)
for _ in sys.stdin:
    result = client.signal_intent(["execution/"], "everything", 5)
    print(int(result.success), flush=True)
"""


@pytest.fixture
def shop(make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, reach: Reach) -> Path:
    """Stand in a repository with a session."""
    root = make_repository("shop", FILES)
    monkeypatch.chdir(root)
    reach(root)
    return root


def test_the_example_of_the_seed_runs(shop: Path) -> None:
    """Signal, lease what was planned, and for the other: conflicts with file and holder."""
    with PUCSClient(agent_id="exec-agent-1", stream="execution") as pucs:
        result = pucs.signal_intent(
            files=["execution/fill_predictor.py", "execution/fill_ml_model.py"],
            description="Adding gradient boosting model for fill prediction",
            estimated_duration_min=45,
        )
        assert not result.conflicts
        assert pucs.acquire_locks(result.files).granted
        other = PUCSClient(agent_id="exec-agent-2", stream="execution")
        found = other.signal_intent(["execution/fill_predictor.py"], "The same", 10)
        assert {(one.file, one.holder) for one in found.conflicts} == {
            ("execution/fill_predictor.py", "exec-agent-1")
        }
        assert [one.kind for one in other.check_conflicts(["execution/"])] == ["FILE_LOCK"] * 2 + [
            "INTENT_OVERLAP"
        ]
        pucs.release_locks()
        assert pucs.clear_intent() is not None
        assert other.signal_intent(["execution/fill_predictor.py"], "The same", 10).success


def test_two_clients_divide_a_file(shop: Path) -> None:
    """Each accepts for itself; the leases of the one become symbols, and the other can lease its own at once."""
    one, two = PUCSClient("agent-1", "execution"), PUCSClient("agent-2", "execution")
    assert one.signal_intent(["execution/model.py"], "make predict exact", 5).success
    assert one.acquire_locks(["execution/model.py"]).granted
    assert not two.signal_intent(["execution/model.py"], "make fit fast", 5).success
    refused = two.negotiate_partition("execution/model.py", "agent-1").proposal
    assert one.refuse_partition(refused, "nearly done").why == "refused by agent-1: nearly done"
    found = two.negotiate_partition("execution/model.py")
    assert found.scopes == {
        "agent-1": ("execution/model.py::predict",),
        "agent-2": ("execution/model.py::fit",),
    }
    assert one.accept_partition(found.proposal).missing == ("agent-2",)
    assert two.accept_partition(found.proposal).missing == ()
    assert [lease.resource for lease in one.renew_locks()] == ["execution/model.py::predict"]
    assert two.acquire_locks(found.scopes["agent-2"]).granted


def test_files_are_a_list(shop: Path) -> None:
    """One string would be taken for its letters."""
    with pytest.raises(Usage, match="one string"):
        PUCSClient("ada").signal_intent("execution/", "d")


@pytest.mark.slow
@pytest.mark.process
def test_of_plans_at_one_moment_exactly_one_is_first(shop: Path) -> None:
    """Check and record are one step: whoever comes second sees the first, in any number of processes."""
    planners = [
        subprocess.Popen(
            [sys.executable, "-c", PLANNER, f"agent-{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    outcomes = []
    for planner in planners:
        assert planner.stdout is not None
        assert planner.stdout.readline() == "ready\n"
    for planner in planners:
        assert planner.stdin is not None
        planner.stdin.write("go\n")
        planner.stdin.flush()
    for planner in planners:
        assert planner.stdout is not None
        outcomes.append(planner.stdout.readline().strip())
    for planner in planners:
        planner.communicate()
    assert sorted(outcomes) == ["0", "0", "0", "1"]
