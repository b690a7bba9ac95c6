"""The page on the proof lists the bugs that are really planted, and where each is caught."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proof import contender_plants
from tests.simulation import plants

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TABLES: Mapping[str, Mapping[str, plants.Plant | contender_plants.Plant]] = {
    "### Bugs planted in virtual time": plants.PLANTS,
    "### Bugs planted in contending processes": contender_plants.PLANTS,
}


def rows(heading: str) -> list[str]:
    """Return the table as it has to be, one line per planted bug."""
    return [
        f"| {name} | {plant.wrong} | {', '.join(plant.caught_by)} |"
        for name, plant in TABLES[heading].items()
    ]


@pytest.mark.parametrize("heading", TABLES)
def test_the_planted_bugs_are_listed(project: Path, heading: str) -> None:
    """Each is there in the order of the code, with what is wrong and what catches it."""
    page = (project / "docs" / "explanation" / "how-we-know.md").read_text(encoding="utf-8")
    section = page.partition(heading)[2].partition("\n#")[0]
    listed = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert listed == rows(heading)
