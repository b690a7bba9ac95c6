"""``pucs intent`` as people and agents call it, with the wording of 002 §4.3."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git


def signal(pucs: Pucs, agent: str, files: str, *more: str) -> tuple[int, str]:
    said = pucs("intent", "--agent", agent, "--files", files, "--description", "VAT\nfor all", *more)
    return said.status, said.out


def test_a_plan_in_nobodys_way_is_said_to_be_signaled(session: Path, pucs: Pucs) -> None:
    """The words are those of 002; the count is of the files as given."""
    assert signal(pucs, "ada", "app/a.py, settings.py", "--stream", "app", "--duration", "45") == (
        0,
        "Intent signaled successfully for 2 files\n",
    )


def test_conflicts_are_printed_as_the_seed_prints_them(session: Path, pucs: Pucs) -> None:
    """Kind, holder with stream, details and suggestions; exit status 1."""
    assert signal(pucs, "ada", "app/a.py", "--stream", "app")[0] == 0
    status, out = signal(pucs, "bob", "app/a.py")
    assert status == 1
    assert out.startswith(
        "CONFLICTS DETECTED:\n"
        "  - INTENT_OVERLAP: app/a.py\n"
        "    Holder: ada (app)\n"
        "    Details: Agent intends to work on same files: VAT for all\n"
        "\nSuggestions:\n"
        "  - Coordinate with ada to partition work\n"
    )


def test_the_document_has_both_vocabularies(session: Path, pucs: Pucs) -> None:
    """Each conflict carries its names of 000 and of 002."""
    pucs.ok("lock", "app/a.py", "--agent", "ada", "--stream", "app", "--task", "VAT")
    said = pucs("intent", "--agent", "bob", "--files", "app/a.py", "--description", "d", "--json")
    assert said.status == 1
    document = json.loads(said.out)
    assert set(document) == {
        "success", "files", "conflicts", "suggestions", "waiting", "intent", "state", "expires_at",
    }  # fmt: skip
    (found,) = document["conflicts"]
    assert (found["kind"], found["conflict_type"]) == ("FILE_LOCK", "LOCKED")
    assert (found["file"], found["file_path"]) == ("app/a.py", "app/a.py")
    assert (found["holder"], found["holder_agent"], found["holder_stream"]) == ("ada", "ada", "app")
    assert (document["success"], document["state"]) == (False, "contested")


def test_free_functions_are_named_where_only_parts_are_held(session: Path, pucs: Pucs) -> None:
    """What nobody holds of a planned file is looked up in the planner's checkout; broken code names nothing."""
    code = session / "settings.py"
    code.write_text("LIMIT = 1\n\n\ndef price():\n    pass\n\n\ndef total():\n    pass\n", encoding="utf-8")
    pucs.ok("lock", "settings.py::price", "--agent", "ada")
    said = pucs("intent", "--check", "--files", "settings.py")
    assert "these are free: LIMIT, total" in said.out
    assert "  - In settings.py these are free: LIMIT, total\n" in signal(pucs, "bob", "settings.py")[1]
    code.write_text("def (", encoding="utf-8")
    assert "plan the functions you need, as settings.py::NAME" in signal(pucs, "bob", "settings.py")[1]


def test_looking_listing_and_clearing(session: Path, pucs: Pucs) -> None:
    """A check records nothing; the list, the status and the explanation of a file show a plan until it is cleared."""
    assert pucs.ok("intent", "--check", "--files", "app/a.py") == "Nobody is in the way.\n"
    assert pucs.ok("intent", "--list") == "No intents.\n"
    signal(pucs, "ada", "app/a.py,settings.py", "--stream", "app")
    assert pucs("intent", "--check", "--files", "app/").status == 1
    (listed,) = pucs.json("intent", "--list")
    assert (listed["agent"], listed["files"], listed["state"]) == (
        "ada",
        ["app/a.py", "settings.py"],
        "active",
    )
    assert "app/a.py, settings.py" in pucs.ok("intent", "--list")
    assert pucs.json("status")["intents"][0]["files"] == ["app/a.py", "settings.py"]
    assert "PLANNED" in pucs.ok("status")
    assert "planned  by ada (active): VAT" in pucs.ok("why", "app/a.py")
    assert pucs.ok("lock", "app/", "--agent", "bob").endswith(". Planned too by ada.\n")
    assert pucs.ok("intent", "--clear", "--agent", "ada") == "ada has no intent any more.\n"
    assert pucs.ok("intent", "--clear", "--agent", "ada") == "'ada' had no intent.\n"
    assert "planned" not in pucs.ok("why", "app/a.py")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--agent", "ada", "--description", "d"], 2, "--files"),
        (["--agent", "ada", "--files", " , ", "--description", "d"], 2, "--files"),
        (["--files", "app/a.py", "--description", "d"], 2, "--agent"),
        (["--agent", "ada", "--files", "app/a.py"], 2, "--description"),
        (["--agent", "ada", "--files", "../x.py", "--description", "d"], 2, "outside"),
        (["--agent", "ada", "--files", "a", "--description", "d", "--duration", "-1"], 2, "--duration"),
        (["--agent", "ada", "--files", "a", "--description", "d", "--stream", "none"], 1, "no stream 'none'"),
        (["--agent", "ada", "--files", "a", "--description", "x" * 50_000], 2, "50,000 characters"),
        (["--list", "--clear", "--agent", "ada"], 2, "exclude"),
        (["--clear"], 2, "--agent"),
    ],
)
def test_bad_calls_say_what_is_wrong(
    session: Path, pucs: Pucs, arguments: list[str], status: int, words: str
) -> None:
    """Nothing is recorded, and the status says of what kind the mistake is."""
    said = pucs("intent", *arguments)
    assert said.status == status
    assert words in said.err
    assert pucs.json("intent", "--list") == []
