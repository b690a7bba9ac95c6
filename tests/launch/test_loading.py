"""Which word is an agent program, which a command, and which a slip."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from pucs.core.errors import EnvironmentFailure, Usage
from pucs.launch.programs import Brief, Found, Launch, loading
from pucs.launch.programs.claude import Claude
from pucs.launch.programs.codex import Codex
from pucs.streams.settings import AgentSettings, ProgramSettings


class Asked:
    """A program of somebody else's that notes what it is looked for with."""

    name = "asked"
    resumable = False
    found = Found(version="1")
    looks: list[str] = []  # noqa: RUF012 - entry points make a new object each time

    def look(self, environment: Mapping[str, str], executable: str = "") -> Found:
        """Say what the test wants."""
        del environment
        self.looks.append(executable)
        return self.found

    def launch(self, brief: Brief) -> Launch:
        """Nothing is launched here."""
        raise NotImplementedError(brief)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install two programs beside those of PUCS, one of them broken."""
    mine = [
        EntryPoint("asked", f"{__name__}:Asked", "pucs.programs"),
        EntryPoint("broken", "no.such.module:Broken", "pucs.programs"),
    ]
    monkeypatch.setattr(loading, "entry_points", lambda group: [*entry_points(group=group), *mine])
    monkeypatch.setattr(loading, "_loaded", _loaded)
    monkeypatch.setattr(Asked, "looks", [])


def _loaded(name: str) -> object:
    if name == "asked":
        return Asked()
    return _LOADED(name)


_LOADED = loading._loaded


def test_programs_are_found_by_entry_points(installed: None) -> None:
    """Those of PUCS and those of others stand side by side; one that cannot be loaded is no reason to stop."""
    found = loading.programs()
    assert found.keys() >= {"claude", "codex", "asked"}
    assert "broken" not in found
    assert (type(found["claude"]), type(found["codex"])) == (Claude, Codex)


def test_words_that_are_no_program_are_commands(installed: None, tmp_path: Path) -> None:
    """A command line goes to the shell; a single word that nobody knows is taken for a slip."""
    environment = {"PATH": str(tmp_path)}
    (tmp_path / "my-agent").write_text("#!/bin/sh\n")
    (tmp_path / "my-agent").chmod(0o755)
    assert loading.chosen('aider --message "$PUCS_PROMPT"', environment) is None
    assert loading.chosen("./agent.sh", environment) is None
    assert loading.chosen("my-agent", environment) is None
    assert type(loading.chosen("claude", environment)) is Claude
    with pytest.raises(Usage, match="'claud' is neither an agent program nor an executable") as refused:
        loading.chosen("claud", environment)
    assert "claude, codex" in str(refused.value.remedy)


def test_used_programs_are_looked_at_once(installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is looked at before anything starts, at the file that the configuration names."""
    settings = AgentSettings(programs=(ProgramSettings(name="asked", executable="/opt/asked"),))
    assert loading.checked(["asked", "sh -c true", "asked"], {"PATH": "/bin"}, settings) == ()
    assert Asked.looks == ["/opt/asked"]
    monkeypatch.setattr(Asked, "found", Found(version="2", warning="It is new."))
    assert loading.checked(["asked"], {}, settings) == ("It is new.",)
    monkeypatch.setattr(Asked, "found", Found(problem="It is too old.", remedy="Update it."))
    with pytest.raises(EnvironmentFailure, match="It is too old") as refused:
        loading.checked(["asked"], {}, settings)
    assert refused.value.remedy == "Update it."
    with pytest.raises(EnvironmentFailure, match="broken cannot be loaded"):
        loading.checked(["broken"], {}, settings)
