"""The store of a test, in every place where a store may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pucs.testing.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.coordinator.ports import Store


@pytest.fixture
def store(place: str, opened: Callable[..., Store]) -> Store:
    """Return a new store."""
    return opened(place, FakeClock())
