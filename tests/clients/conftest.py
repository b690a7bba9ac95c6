"""Real agent programs for tests: pinned, each test with a home of its own, nobody to call but a scripted model.

Every test here is marked `clients` and `slow`, and has a minute. What a test needs is `stage`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients import installing
from tests.clients.stage import Stage
from tests.clients.world import World

_HERE = Path(__file__).parent
_missing: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this directory."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.clients)
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install the programs before the first test that needs them, outside of its time."""
    if session.config.option.collectonly or not any(_HERE in item.path.parents for item in session.items):
        return
    try:
        installing.install()
    except installing.Missing as missing:
        _missing.append(str(missing))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Return where real programs play: a home, a model, and a proxy that lets nobody out."""
    if _missing:
        pytest.skip(_missing[0])
    with Stage(tmp_path) as made:
        yield made


@pytest.fixture
def world(stage: Stage, make_repository: Callable[..., Path]) -> World:
    """Return a session over a repository of two files."""
    return World(stage, make_repository(files={"core/a.py": "a = 1\n", "core/b.py": "b = 1\n"}))


@pytest.fixture(params=["http hooks", "command hooks"])
def endpoint(request: pytest.FixtureRequest, world: World) -> Iterator[str]:
    """Return the URL of a server, and then none, so that both ways of asking are gone."""
    if request.param == "command hooks":
        yield ""
        return
    with world.server() as url:
        yield url
