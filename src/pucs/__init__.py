"""PUCS lets many coding agents change one git repository at once and end with one tested, merged result.

`PUCSClient` is the way in for programs; the command `pucs` is the way in for people. Everything not named in
`__all__` is private, whatever its name looks like. Importing this package loads nothing else: the names below are
fetched when they are first used, so that `pucs lock` and the hooks start fast.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pucs.client import PUCSClient

__all__ = ["PUCSClient", "__version__"]

__version__ = "0.1.0"

_HOME_OF_NAME = {"PUCSClient": "pucs.client"}


def __getattr__(name: str) -> object:
    """Fetch a public name from its home at first use and keep it.

    Raises:
        AttributeError: when the name is not one of the public names.
    """
    home = _HOME_OF_NAME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Name what the package offers, fetched already or not."""
    return sorted({*globals(), *__all__})
