"""The page on the proof lists the bugs that are really planted in virtual time, and where each is caught."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.plants import PLANTS

if TYPE_CHECKING:
    from pathlib import Path

HEADING = "### Bugs planted in virtual time"


def rows() -> list[str]:
    """Return the table as it has to be, one line per planted bug."""
    return [f"| {name} | {plant.wrong} | {', '.join(plant.caught_by)} |" for name, plant in PLANTS.items()]


def test_the_planted_bugs_are_listed(project: Path) -> None:
    """Each is there in the order of the code, with what is wrong and what catches it."""
    page = (project / "docs" / "explanation" / "how-we-know.md").read_text(encoding="utf-8")
    section = page.partition(HEADING)[2].partition("\n#")[0]
    listed = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert listed == rows()
