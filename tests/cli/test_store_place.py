"""``store:`` in the configuration puts the store elsewhere, for every later command."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIGURATION = "store: ../elsewhere/state.db\nstreams:\n  shop:\n    files_pattern: shop/\n"


@pytest.mark.slow
@pytest.mark.git
@pytest.mark.process
def test_the_configured_place_is_found_by_every_command(make_repository: Callable[..., Path]) -> None:
    """``init`` notes the place; what comes later needs neither the file nor an option to find it."""
    repository = make_repository(files={"shop/cart.py": "TOTAL = 0\n", "pucs.yaml": CONFIGURATION})
    said = ""
    for arguments in (["init"], ["lock", "shop/cart.py", "--agent", "a-1"], ["status"]):
        done = subprocess.run(
            [sys.executable, "-m", "pucs", *arguments],
            cwd=repository,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        said = done.stdout
    assert (repository.parent / "elsewhere/state.db").exists()
    assert not (repository / ".git/pucs/state.db").exists()
    assert "shop/cart.py" in said
