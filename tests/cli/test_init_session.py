"""``pucs init --session``: a session that does not exist yet can be named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pucs.cli import main
from pucs.coordinator.sessions import current
from pucs.wiring import open_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.git
def test_init_starts_the_session_that_is_named(
    make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The named session is started under that name, and naming it again continues it."""
    monkeypatch.chdir(make_repository("shop", {"shop/a.py": ""}))
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main(["init", "--session", "S-1"])
        assert ended.value.code == 0
    assert current(open_context(".")).id == "S-1"
