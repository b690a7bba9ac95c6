"""The configuration file: every key of both layouts, every mistake with its line."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

from pucs.core.errors import ConfigurationError
from pucs.streams import encoding, layout
from pucs.streams.boundaries import Boundaries
from pucs.streams.configuration import locate, parse
from pucs.streams.phases import merge_phases
from pucs.streams.records import CriticalFile, Stream
from pucs.streams.settings import (
    AgentSettings,
    BranchSettings,
    Configuration,
    Limits,
    MergeSettings,
    ProgramSettings,
    ReadinessSettings,
    ResourceLimit,
    WorktreeSettings,
)

if TYPE_CHECKING:
    from pathlib import Path

EVERY_KEY = """\
session:
  max_duration_hours: 2
  auto_finalize: true
streams:
  EXEC:
    name: "Execution Optimization"
    description: Orders
    files_pattern: "execution/**/*.py, x/"
    max_agents: 4
    agent_templates: ["implementer", "refactorer"]
    dependencies: ["config", "models"]
    critical: true
    critical_files:
      - "execution/smart_execution.py"
    test_pattern: "tests/test_*execution*.py"
  RISK:
    files_pattern:
      - models/risk*.py
      - "models/{circuit,breaker}*.py"
critical_files:
  - path: "config/__init__.py"
    max_lock_duration_min: 30
    requires_review: true
    test_required: true
  - setup.py
locks:
  default_duration_min: 10
  max_duration_min: 20
  queue_timeout_min: 0
  claim_ttl_s: 1.5
logging: {level: change, persist_path: log.json, max_entries: 10000}
conflict_resolution: {auto_merge: false, partition_enabled: false, arbitration_timeout_min: 1}
store: ${STORE:-/elsewhere/state.db}
generated:
  - "*.lock"
  - {path: docs/api.md, command: "make $TARGET"}
worktrees: {path: "../{repo}-{agent}", setup: "pip install ${X}", setup_timeout_s: 5, copy: [.env], sign_commits: true}
branches: {session: "s/{session}", stream: "s/{stream}-{session}", agent: "a/{agent}"}
merge: {test_command: "pytest ${ARGS}", test_timeout_s: 60, phases: [[RISK], [exec]], accept: review}
agents:
  count: 6
  timeout_min: 2
  attempts: 3
  output_max_mb: 1
  programs:
    codex: {model: gpt-5, arguments: [-c, "a=1", 7], executable: "${STORE:-/opt}/codex"}
    claude:
      model: opus
readiness: {gate: warn, severity: MEDIUM, ignore: [twin-modules-0a1b2c3d, "legacy/**"]}
"""


def complaints(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "pucs.yaml", {})
    return [str(problem) for problem in caught.value.fields["problems"]]


def test_every_key_is_read() -> None:
    """Each key of both seeds' layouts and each new one arrives in its record, times in seconds."""
    assert parse(EVERY_KEY, "pucs.yaml", {}) == Configuration(
        source="pucs.yaml",
        store="/elsewhere/state.db",
        max_duration_s=7200.0,
        auto_finalize=True,
        streams=(
            Stream(
                name="EXEC",
                title="Execution Optimization",
                description="Orders",
                files_pattern=("execution/**/*.py", "x/"),
                max_agents=4,
                dependencies=("config", "models"),
                test_pattern=("tests/test_*execution*.py",),
                critical=True,
                critical_files=("execution/smart_execution.py",),
                agent_templates=("implementer", "refactorer"),
            ),
            Stream(name="RISK", files_pattern=("models/risk*.py", "models/{circuit,breaker}*.py")),
        ),
        critical_files=(
            CriticalFile(
                path="config/__init__.py",
                max_lock_duration_s=1800.0,
                requires_review=True,
                test_required=True,
            ),
            CriticalFile(path="setup.py", max_lock_duration_s=1200.0),
        ),
        generated=("*.lock", "docs/api.md"),
        generated_commands=(("docs/api.md", "make $TARGET"),),
        limits=Limits(default_duration_s=600.0, max_duration_s=1200.0, queue_timeout_s=0.0, claim_ttl_s=1.5),
        logging_level="CHANGE",
        logging_max_entries=10000,
        logging_persist_path="log.json",
        auto_merge=False,
        partition_enabled=False,
        arbitration_timeout_s=60.0,
        worktrees=WorktreeSettings(
            path="../{repo}-{agent}",
            setup="pip install ${X}",
            setup_timeout_s=5.0,
            copy=(".env",),
            sign_commits=True,
        ),
        branches=BranchSettings(session="s/{session}", stream="s/{stream}-{session}", agent="a/{agent}"),
        merge=MergeSettings(
            test_command="pytest ${ARGS}",
            test_timeout_s=60.0,
            phases=(("RISK",), ("exec",)),
            accept="review",
        ),
        agents=AgentSettings(
            count=6,
            timeout_s=120.0,
            attempts=3,
            output_bytes_max=1024 * 1024,
            programs=(
                ProgramSettings(
                    name="codex", model="gpt-5", arguments=("-c", "a=1", "7"), executable="/opt/codex"
                ),
                ProgramSettings(name="claude", model="opus"),
            ),
        ),
        readiness=ReadinessSettings(
            gate="warn", severity="medium", ignore=("twin-modules-0a1b2c3d", "legacy/**")
        ),
    )


def test_records_hold_ordinary_strings() -> None:
    """Places in the file are forgotten once everything is checked, except the lines of patterns."""
    configuration = parse(EVERY_KEY, "pucs.yaml", {})
    assert type(configuration.store) is str
    assert {
        type(text) for text in (configuration.streams[0].name, *configuration.streams[0].files_pattern)
    } == {str}
    assert [stream.pattern_lines for stream in configuration.streams] == [(8, 8), (18, 19)]
    assert encoding.decode(encoding.encode(configuration)) == configuration


@pytest.mark.parametrize("text", ["", "streams:\n", "locks:\n  default_duration_min:\n"])
def test_nothing_written_is_the_default(text: str) -> None:
    """An empty file, or keys without values, are the defaults."""
    assert parse(text, "f", {}) == Configuration(source="f")


@pytest.mark.parametrize("key", ["isolation", "enforcement", "review", "alerts", "budget"])
@pytest.mark.parametrize("value", ["x", "{a: [b]}"])
def test_key_of_later_version_warns(key: str, value: str) -> None:
    """Keys that come later are accepted, and the warning names the line."""
    assert parse(f"store: x\n{key}: {value}\n", "f", {}).warnings == (
        f"f:2:{len(key) + 3}: this key is not used yet",
    )


def test_named_resources_have_limits() -> None:
    """Slots and a rate by name or pattern, written with or without ``res:``; what is left out is one slot, no rate."""
    text = (
        "resources:\n  port/*: {concurrency: 4}\n  res:api: {rate: 10/min}\n"
        "  db: {concurrency: 2, rate: '3 / h'}\n  gpu: {}\n"
    )
    assert parse(text, "f", {}).resources == (
        ResourceLimit(name="port/*", concurrency=4),
        ResourceLimit(name="api", rate=10, period_s=60.0),
        ResourceLimit(name="db", concurrency=2, rate=3, period_s=3600.0),
        ResourceLimit(name="gpu"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resources: {db: {concurrency: 0}}\n",
         ["pucs.yaml:1:31: expected a whole number of at least 1, found 0"]),
        ("resources:\n  db: {rate: 10/day}\n",
         ["pucs.yaml:2:14: '10/day' is no rate; write NUMBER/s, NUMBER/min or NUMBER/h, at most 1000"]),
        ("resources:\n  db: {rate: 5}\n", ["pucs.yaml:2:14: '5' is no rate; write NUMBER/s, NUMBER/min or NUMBER/h, at most 1000"]),
        ("resources:\n  db: {rate: 1001/s}\n",
         ["pucs.yaml:2:14: '1001/s' is no rate; write NUMBER/s, NUMBER/min or NUMBER/h, at most 1000"]),
        ("resources: {'a b': {}}\n",
         ["pucs.yaml:1:13: 'a b' names no resource: Write res:NAME, for example res:port/8080."]),
        ("resources:\n  db: {}\n  res:db: {}\n",
         ["pucs.yaml:3:3: 'res:db' is the same resource as 'db' (line 2)"]),
        ("resources: {'!x': {}}\n",
         ["pucs.yaml:1:13: '!x' cannot be negated. Name what belongs to the stream instead."]),
        ("resources: {db: {slots: 2}}\n",
         ["pucs.yaml:1:18: the key 'slots' is not known; known are concurrency, rate"]),
        ("resources: {db: {rate: [1]}}\n", ["pucs.yaml:1:24: expected a text, found a list"]),
        ("resources: [db]\n", ["pucs.yaml:1:12: expected a mapping, found a list"]),
        ("streems: {}\n", ["pucs.yaml:1:1: the key 'streems' is not known; did you mean 'streams'?"]),
        ("streams: {a: {max_agents: 2}}\n", ["pucs.yaml:1:14: the key 'files_pattern' is missing"]),
        ("streams: {a: x}\n", ["pucs.yaml:1:14: expected a mapping, found text 'x'"]),
        ("streams:\n  a: {files_pattern: ' , '}\n",
         ["pucs.yaml:2:3: the stream 'a' has no files; name some in files_pattern"]),
        ("streams: {a: {files_pattern: a, max_agents: -2}}\n",
         ["pucs.yaml:1:45: expected a whole number of at least 1, found -2"]),
        ("locks: {max_duration_min: -1}\n", ["pucs.yaml:1:27: expected a number of more than 0, found -1"]),
        ("locks: {default_duration_min: 121}\n",
         ["pucs.yaml:1:8: default_duration_min is longer than max_duration_min"]),
        ("store: ${NOT_SET}\n",
         ["pucs.yaml:1:8: the variable NOT_SET is not set; set it or write ${NOT_SET:-default}"]),
        ("generated: ['!x']\ncritical_files: [/x]\n",
         ["pucs.yaml:1:13: '!x' cannot be negated. Name what belongs to the stream instead.",
          "pucs.yaml:2:18: '/x' is absolute. Patterns start at the root of the repository, without a slash."]),
        ("critical_files: [{requires_review: true}]\ngenerated: [{command: x}]\n",
         ["pucs.yaml:1:18: the key 'path' is missing", "pucs.yaml:2:13: the key 'path' is missing"]),
        ("streams:\n  a: {files_pattern: [a, 'b[']}\n",
         ["pucs.yaml:2:26: 'b[' has an unclosed bracket. Close it with ], or write [[] for the character."]),
        ("streams:\n  a: {files_pattern: x/**}\n  b: {files_pattern: 'b, x/**'}\n",
         ["pucs.yaml:3:22: the pattern 'x/**' is in two streams: 'b' and 'a' (line 2); a file belongs to one stream"]),
        ("streams:\n  shop: {files_pattern: a}\n  Shop: {files_pattern: b}\n",
         ["pucs.yaml:3:3: 'Shop' and 'shop' (line 2) differ only in case; names ignore case"]),
        ("streams:\n  ALL: {files_pattern: a}\n",
         ["pucs.yaml:2:3: 'ALL' cannot name a stream: it stands for all of them"]),
        ("merge: {phases: [[a]]}\n", ["pucs.yaml:1:19: phases name 'a', which is no stream"]),
        ("streams: {a: {files_pattern: a}}\nmerge: {phases: [a, [A]]}\n",
         ["pucs.yaml:2:22: phases name the stream 'A' twice"]),
        ("worktrees: {path: '../{agnt}'}\n", ["pucs.yaml:1:19: {agnt} is not known here; known are {repo} {agent} {session}"]),
        ("worktrees: {path: '../x'}\n", ["pucs.yaml:1:19: {agent} is missing, so that names would collide"]),
        ("worktrees: {path: '{agent'}\n", ["pucs.yaml:1:19: the braces of '{agent' do not close; write {repo}"]),
        ("agents: {programs: {Codex: {}, codex: {exe: x, model: []}, x: {executable: '', arguments: a b}}}\n",
         ["pucs.yaml:1:21: 'Codex' cannot name a program: use small letters, digits and -, at most 32",
          "pucs.yaml:1:40: the key 'exe' is not known; known are model, arguments, executable",
          "pucs.yaml:1:55: expected a text, found a list",
          "pucs.yaml:1:76: expected a text that is not empty, found text ''",
          "pucs.yaml:1:91: expected a list, found text 'a b'"]),
        ("store: postgresql://u:pw@h/d\n",
         ["pucs.yaml:1:8: store holds a password; leave it out, and set PGPASSWORD or write it to ~/.pgpass"]),
        ("worktrees: {path: []}\n", ["pucs.yaml:1:19: expected a text, found a list"]),
    ],
)  # fmt: skip
def test_mistake_is_told_with_line(text: str, expected: list[str]) -> None:
    """Each mistake is one complaint with file, line and column."""
    assert complaints(text) == expected


@pytest.mark.parametrize("name", ["a b", "-a", "a/b", "a..b", "a.lock", "a.", "ä", "x" * 65, "''"])
def test_stream_name_must_fit_a_branch(name: str) -> None:
    """Names become parts of branch names and commit titles."""
    (complaint,) = complaints(f"streams:\n  {name}: {{files_pattern: a}}\n")
    assert "cannot name a stream: it becomes part of branch names" in complaint


@pytest.mark.parametrize(
    "branch",
    [
        "a b/{agent}",
        "a..b{agent}",
        "/{agent}",
        "-{agent}",
        "{agent}/",
        "{agent}.lock",
        "a~{agent}",
        "a/.{agent}",
    ],
)
def test_branch_template_must_make_a_branch_name(branch: str) -> None:
    """A template that git would refuse is refused here."""
    (complaint,) = complaints(f"branches: {{agent: '{branch}'}}\n")
    assert complaint.endswith("does not make a branch name that git accepts")


@pytest.mark.parametrize(
    ("dependencies", "cycle"),
    [
        ({"a": "b", "b": "A"}, {"a → b → a", "b → a → b"}),
        ({"a": "b", "b": "dir/c", "c": "b"}, {"b → c → b", "c → b → c"}),
    ],
)
def test_cycle_is_named(dependencies: dict[str, str], cycle: set[str]) -> None:
    """A cycle is told by its members in order, also one that goes through a path."""
    text = "streams:\n" + "".join(
        f"  {name}: {{files_pattern: dir/{name}/, dependencies: {needed}}}\n"
        for name, needed in dependencies.items()
    )
    (complaint,) = complaints(text)
    assert complaint.startswith("pucs.yaml:")
    assert any(f"in a cycle: {named}; leave out" in complaint for named in cycle)


def test_all_mistakes_are_told_at_once() -> None:
    """Whoever has five mistakes learns of all five."""
    text = "loggin: 1\nstore: 3\nstreams: {a: {files_pattern: '['}}\nlocks: []\nagents: {count: 1.5}\n"
    assert [complaint.split(":")[1] for complaint in complaints(text)] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("present", "found"),
    [
        ({"pucs.yaml", "pucs_config.yaml"}, "pucs.yaml"),
        ({"config/pucs_streams.yaml", "pucs_config.yaml"}, "pucs_config.yaml"),
        ({"config/pucs_streams.yaml"}, "config/pucs_streams.yaml"),
        ({"pucs.yml"}, None),
    ],
)
def test_first_known_file_counts(present: set[str], found: str | None) -> None:
    """The project's own name wins over the seeds' names."""
    assert locate(present) == found


@pytest.mark.parametrize("name", ["pucs.yaml", "config/pucs_streams.yaml"])
def test_trading_bot_example_is_valid(project: Path, name: str) -> None:
    """Both layouts of the seven streams are read, partition the files and merge in order."""
    path = project / "examples" / "trading-bot" / name
    configuration = parse(path.read_text(encoding="utf-8"), name, {})
    assert len(configuration.streams) == 7
    assert not configuration.warnings
    boundaries = Boundaries(configuration.streams)
    owner = boundaries.owner("execution/fill_predictor.py")
    assert boundaries.crossed("execution/fill_predictor.py", configuration.streams[1].name) == owner
    assert boundaries.crossed("config/__init__.py", "API") is None
    assert [len(phase) for phase in merge_phases(configuration.streams, [])] == [3, 3, 1]


def test_a_program_is_started_as_configured_or_as_it_comes() -> None:
    """Settings are found by the program's name; one that is not named has no model and no file of its own."""
    own = ProgramSettings(name="codex", model="gpt-5.5")
    settings = AgentSettings(programs=(own,))
    assert settings.program("codex") is own
    assert settings.program("claude") == ProgramSettings(name="claude")


def test_a_gate_may_be_switched_off_without_quotes() -> None:
    """A bare ``off`` is a truth value for YAML and means the word here; anything else has to be one of the words."""
    for written in ("off", "Off", "'off'", "false"):
        text = f"readiness: {{gate: {written}}}"
        assert parse(text, "pucs.yaml", {}).readiness.gate == "off", written
    assert "expected one of off, warn, refuse" in complaints("readiness: {gate: stop}")[0]
    assert "a text" in complaints("readiness: {gate: on}")[0]


def test_shipped_schema_is_current() -> None:
    """Editors see the keys that this version reads."""
    # After a change of the tables, write what stands on the right into the file.
    shipped = resources.files("pucs.streams").joinpath("pucs.schema.json").read_text(encoding="utf-8")
    assert shipped == json.dumps(layout.schema(), indent=2) + "\n"


def test_every_key_is_documented(project: Path) -> None:
    """The reference page names every key with its section."""
    page = (project / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert not [key for key in _keys(layout.schema()) if f"`{key}`" not in page]


def _keys(schema: dict[str, Any]) -> list[str]:
    keys: list[str] = []
    for part in (schema, *schema.get("oneOf", ())):
        keys.extend(part.get("properties", {}))
        for child in part.get("properties", {}).values():
            keys.extend(_keys(child))
        for child in (part.get("items"), part.get("additionalProperties")):
            keys.extend(_keys(child) if isinstance(child, dict) else ())
    return keys
