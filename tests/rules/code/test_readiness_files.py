"""Settings that are written down twice, and paths of somebody's home."""

import json

import pytest

from pucs.code.readiness.home_paths import home_paths, homes_named, may_name_homes
from pucs.code.readiness.records import Finding
from pucs.code.readiness.settings_files import (
    FILES_MAX,
    SETTINGS_BYTES_MAX,
    leaves,
    may_hold_settings,
    repeated_settings,
)
from pucs.core.severities import Severity

NIGHT = """\
session:
  max_runtime_hours: 10
  max_idle_minutes: 30
budget: {max_cost_usd: 50.0}
check: {check_interval_seconds: 30, level: info}
notify:
  slack_webhook: "https://one"
more_a: {more_b: 1, more_c: 2}
"""
WATCH = {
    "max_runtime_hours": 10,
    "max_idle_minutes": 30,
    "max_cost_usd": 50.0,
    "check_interval_seconds": 30,
    "slack_webhook": None,
    "process_name": "agent",
}


def told(files: dict[str, str]) -> tuple[list[Finding], list[str]]:
    notes: list[str] = []
    found = list(repeated_settings({path: text.encode() for path, text in files.items()}, notes))
    return found, notes


def test_the_same_settings_in_another_nesting_and_format_are_found() -> None:
    """The smaller file repeats the larger one; the key with another value is named."""
    (found,), notes = told({"config/night.yaml": NIGHT, "config/watch.json": json.dumps(WATCH, indent=1)})
    assert found.message == (
        "config/watch.json repeats 5 of its 6 settings from config/night.yaml: max_runtime_hours, max_idle_minutes, "
        "max_cost_usd and check_interval_seconds have the same value, slack_webhook another one."
    )
    assert [(place.file, place.line) for place in found.locations] == [
        ("config/watch.json", 2),
        ("config/night.yaml", 2),
    ]
    assert notes == []


def test_toml_counts_too_and_other_values_alone_do_not() -> None:
    """Equal keys whose values all differ are two configurations of one kind of thing."""
    toml = "".join(f"{key} = {json.dumps(value or '')}\n" for key, value in WATCH.items())
    assert len(told({"config/night.yaml": NIGHT, "watch.toml": toml})[0]) == 1
    other = {key: f"other {value}" for key, value in WATCH.items()}
    assert told({"config/night.yaml": NIGHT, "watch.json": json.dumps(other)})[0] == []


def test_variants_beside_each_other_are_meant_to_be_alike() -> None:
    """The same keys in the same nesting, in one directory: two circumstances, not two copies."""
    files = {"config/dev.yaml": NIGHT, "config/prod.yaml": NIGHT.replace("10", "20")}
    assert told(files)[0] == []


def test_broken_and_huge_files_are_left_out_with_a_note() -> None:
    """One bad file hides nothing about the others."""
    found, notes = told({
        "config/night.yaml": NIGHT,
        "config/watch.json": json.dumps(WATCH),
        "a.json": "{",
        "b.yaml": "a: [",
        "c.toml": "=",
        "d.json": "[" * 100_000,
        "e.json": " " * (SETTINGS_BYTES_MAX + 1),
        "f.yaml": "&a [*b]",
    })
    assert len(found) == 1
    assert [note.partition(" ")[0] for note in notes] == [
        "a.json",
        "b.yaml",
        "c.toml",
        "d.json",
        "e.json",
        "f.yaml",
    ]


@pytest.mark.parametrize(
    "path",
    ["package.json", "web/package-lock.json", "uv.lock", ".github/workflows/test.yml", "tests/fixtures/a.json", "docker-compose.yml",
     "app/translations/de.json", "tsconfig.base.json", "api.schema.json", "src/main.py"],
)  # fmt: skip
def test_manifests_workflows_and_data_are_no_settings(path: str) -> None:
    """They repeat each other by their nature."""
    assert may_hold_settings([path]) == []


def test_series_of_files_are_data_and_the_number_is_bounded() -> None:
    """Nine of a kind in one directory, or one name in nine directories."""
    assert may_hold_settings([f"chains/{number}.json" for number in range(9)]) == []
    assert may_hold_settings([f"part{number}/services.yaml" for number in range(9)]) == []
    assert (
        len(may_hold_settings([f"d{number}/{number}.yaml" for number in range(FILES_MAX + 50)])) == FILES_MAX
    )


def test_leaves_are_told_by_their_last_key_and_first_come() -> None:
    """A key in two places counts where it stands higher."""
    found = leaves("a.yaml", b"a: {level: 1, deep: {level: 2}}\nlevel: 3\nlist: [1, {x: 2}]\n")
    assert {key: leaf.value for key, leaf in found.items()} == {"level": "3", "list": '[1, {"x": 2}]'}


# Homes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text", "homes"),
    [
        ("a.py", 'P = "/home/dora/shop/x"\n', [("/home/dora", 1)]),
        ("a.py", 'run("cd /Users/dora/shop && make")\n', [("/Users/dora", 1)]),
        ("a.py", "P = 'C:\\\\Users\\\\dora\\\\x'\n", [("C:\\Users\\dora", 1)]),
        ("a.py", '"""Lies in /home/dora/shop."""\n# /home/dora/shop\n', []),
        ("a.py", 'help = "a directory to look in, such as /home/dora/shop"\n', []),
        ("a.py", 'P = "/home/user/x", "/home/you/x", "https://x.org/home/dora/x", "/home/dora"\n', []),
        ("a.py", "P = ('/home/dora/x'\n", []),
        ("s.json", '{"a": 1,\n "cwd": "/home/dora/shop"}\n', [("/home/dora", 2)]),
        ("s.yaml", "# /home/dora/shop\ncwd: /home/dora/shop\n", [("/home/dora", 2)]),
    ],
)
def test_homes_are_found_where_they_work_and_not_where_they_explain(
    path: str, text: str, homes: list[tuple[str, int]]
) -> None:
    """Values count; comments, documentation, placeholders and addresses do not."""
    assert homes_named(path, text.encode()) == homes


def test_what_runs_in_containers_or_is_foreign_is_not_looked_at() -> None:
    """There a home directory is the same for everybody."""
    assert [
        path for path in ("a.py", "x/s.json", ".mcp.json", "run.sh", ".env.local") if not may_name_homes(path)
    ] == []
    for path in (
        "Dockerfile",
        "docker-compose.yml",
        ".devcontainer/devcontainer.json",
        "README.md",
        "vendor/a.py",
        "a.png",
    ):
        assert not may_name_homes(path)


def test_one_home_is_one_finding_and_tests_come_last() -> None:
    """What tests alone name is made up for them."""
    tests = ("tests/test_a.py", "/home/dora", 3)
    (found,) = home_paths([tests, ("a.py", "/home/dora", 9), ("a.py", "/home/dora", 2)])
    assert found.severity is Severity.MEDIUM
    assert [(place.file, place.line) for place in found.locations] == [
        ("a.py", 2),
        ("a.py", 9),
        ("tests/test_a.py", 3),
    ]
    assert found.message.startswith("a.py names /home/dora, a home directory: 3 places")
    assert list(home_paths([tests])) == []
