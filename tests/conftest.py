"""What every test may rely on: a pinned environment, real repositories in temporary places, honest skips.

Nothing here replaces code of ours by a double; stand-ins live in `pucs.testing`, where users find them too.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from pucs.core.errors import EnvironmentFailure
from pucs.store.sqlite import SQLiteStore

if TYPE_CHECKING:
    from pucs.coordinator.ports import Clock, Store
    from pucs.testing.postgres import PostgresServer

    Kept = Callable[[Clock], Store]

ROOT = Path(__file__).resolve().parent.parent

# Tests with these marks need something that a developer's machine may lack; a CI machine may not.
MARKS_OF_SERVERS = frozenset({"postgres", "browser", "clients"})

# Two shared cores make single examples slow now and then; the cap of pytest-timeout is the real limit. Every run tries
# other examples, so that many short ones find what one long one does; `./run test --all` asks for the long one.
hypothesis.settings.register_profile("short", max_examples=25, deadline=None, print_blob=True)
hypothesis.settings.register_profile("long", max_examples=100, deadline=None, print_blob=True)
hypothesis.settings.load_profile("short")


@pytest.fixture(scope="session", autouse=True)
def _pinned_environment(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Keep the developer's home, git settings, language, time zone and PUCS variables out of every test."""
    home = tmp_path_factory.mktemp("home")
    pinned = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "A Tester",
        "GIT_AUTHOR_EMAIL": "tester@example.invalid",
        "GIT_COMMITTER_NAME": "A Tester",
        "GIT_COMMITTER_EMAIL": "tester@example.invalid",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        # `pucs` and `python` of the environment under test come first, also for programs that tests start.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("PUCS_", "GIT_")):
                patch.delenv(name)
        for name, value in pinned.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the root of this checkout."""
    return ROOT


@pytest.fixture(scope="session")
def first_commit(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Mapping[str, str]], Path]:
    """Return a function that gives a repository with these files in its one commit, made once and only to be copied."""
    made: dict[tuple[tuple[str, str], ...], Path] = {}

    def first_commit(files: Mapping[str, str]) -> Path:
        known = tuple(sorted(files.items()))
        if known not in made:
            root = made[known] = tmp_path_factory.mktemp("first_commit")
            for path, text in known:
                target = root / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
            for call in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Start"]):
                subprocess.run(["git", *call], cwd=root, check=True, capture_output=True)
            for sample in (root / ".git" / "hooks").glob("*.sample"):
                sample.unlink()
        return made[known]

    return first_commit


@pytest.fixture
def make_repository(tmp_path: Path, first_commit: Callable[[Mapping[str, str]], Path]) -> Callable[..., Path]:
    """Return a function that makes a git repository with one commit on `main` and returns its path.

    It takes the name of the directory to make and the files of the first commit, by repository-relative path.
    """

    def make(name: str = "repository", files: Mapping[str, str] | None = None) -> Path:
        # A copy costs a tenth of the three git commands that made the first one.
        template = first_commit(files or {"README.md": "A repository for a test.\n"})
        return Path(shutil.copytree(template, tmp_path / name, symlinks=True))

    return make


PLACES = [
    "file",
    "memory",
    pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow]),
]
"""Where a store may be: what a store promises is tested in every place."""


@pytest.fixture(scope="session")
def postgres_programs() -> None:
    """Skip where the programs of PostgreSQL are not at hand; CI has them with the test dependencies, and counts it as a failure."""
    pytest.importorskip("psycopg")
    from pucs.testing.postgres import find_programs  # noqa: PLC0415 - most runs need none

    try:
        find_programs()
    except EnvironmentFailure as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres(postgres_programs: None) -> Generator[PostgresServer]:
    """Run one throw-away PostgreSQL server for all tests of this process."""
    del postgres_programs
    from pucs.testing.postgres import PostgresServer  # noqa: PLC0415 - as above

    with PostgresServer(port=True) as server:
        yield server


@pytest.fixture
def schema() -> str:
    """Return the name of a schema that no other test uses."""
    return f"t{os.getpid()}_{next(_SCHEMAS)}"


_SCHEMAS = itertools.count()


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where a store may be made: a file, memory, a schema of PostgreSQL."""
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        return str(server.url(schema=request.getfixturevalue("schema")))
    return ":memory:" if request.param == "memory" else str(tmp_path / "state.db")


@pytest.fixture
def opened() -> Generator[Callable[..., Store]]:
    """Return a function that opens the store in a place, with a clock for what keeps none of its own."""
    stores: list[Store] = []

    def opened(place: str, clock: Clock, **more: Any) -> Store:
        store: Store
        if place.startswith("postgresql:"):
            from pucs.store.postgres import PostgresStore  # noqa: PLC0415 - most runs need none

            store = PostgresStore(place, **more)
        else:
            store = SQLiteStore(place, clock, **more)
        stores.append(store)
        return store

    yield opened
    for store in stores:
        store.close()


@pytest.fixture(scope="session")
def emptied() -> list[str]:
    """Return the schemas whose tables are empty again: that takes a twentieth of the time of making new ones."""
    return []


@pytest.fixture(params=[pytest.param("file", marks=pytest.mark.slow), *PLACES[1:]])
def kept(
    request: pytest.FixtureRequest, tmp_path: Path, opened: Callable[..., Store], emptied: list[str]
) -> Generator[Kept]:
    """Return a function that makes the store of a test of verbs, in every place; each call makes another."""
    if request.param != "postgres":
        numbers = itertools.count(1)
        in_file = request.param == "file"
        yield lambda clock: opened(
            str(tmp_path / f"state-{next(numbers)}.db") if in_file else ":memory:", clock
        )
        return
    server = request.getfixturevalue("postgres")
    taken: list[str] = []

    def make(clock: Clock) -> Store:
        taken.append(emptied.pop() if emptied else granted(server, f"kept{os.getpid()}_{next(_SCHEMAS)}"))
        return opened(server.url(schema=taken[-1], user=AGENTS), clock)

    yield make
    for name in taken:
        _empty(server.url(), name)
        emptied.append(name)


AGENTS = "pucs_agents"
"""Role with the rights that the documentation names for those who use a store and do not own it."""


def granted(server: PostgresServer, schema: str) -> str:
    """Make the tables of a store as their owner, and let a role use them that has no right but the documented ones."""
    import psycopg  # noqa: PLC0415 - an extra

    from pucs.store.postgres import PostgresStore  # noqa: PLC0415 - the same

    PostgresStore(server.url(schema=schema)).close()
    page = (ROOT / "docs" / "how-to" / "use-postgresql.md").read_text(encoding="utf-8")
    rights = re.findall(r"^(?:GRANT|ALTER) .* SCHEMA pucs .*TO pucs_agents;$", page, flags=re.MULTILINE)
    with psycopg.connect(server.url(), autocommit=True) as owner:
        with contextlib.suppress(psycopg.errors.DuplicateObject):
            owner.execute(f"CREATE ROLE {AGENTS} LOGIN".encode())
        for right in rights:
            ours = right.replace("SCHEMA pucs ", f"SCHEMA {schema} ").replace("ROLE pucs ", "ROLE postgres ")
            owner.execute(ours.encode())
    return schema


def _empty(url: str, schema: str) -> None:
    """Let a schema be as it was when its tables were made."""
    import psycopg  # noqa: PLC0415 - an extra

    with psycopg.connect(url, options=f"-c search_path={schema} -c lock_timeout=10s") as connection:
        connection.execute(_EMPTY)


_EMPTY = """DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema AND tablename <> 'counters' LOOP
        EXECUTE 'DELETE FROM ' || quote_ident(name);
    END LOOP;
    UPDATE counters SET value = 0 WHERE counters.name <> 'schema';
END $$"""


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays to the end: thousands of tests and all modules, again and again."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI, turn a skip for want of a server into a failure: a gate that did not run has not passed."""
    report = yield
    lacks_server = MARKS_OF_SERVERS.intersection(mark.name for mark in item.iter_markers())
    if os.environ.get("CI") == "true" and report.skipped and lacks_server and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"skipped under CI=true, where {', '.join(sorted(lacks_server))} must be there: {report.longrepr}"
        )
    return report
