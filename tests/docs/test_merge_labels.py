"""What readers said about merges stays readable: one row for each merge, a known verdict, one sentence, one checksum."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

PLACE = Path(__file__).parents[2] / "benchmarks" / "merging"
COMMIT = re.compile("[0-9a-f]{40}")
SHA256 = re.compile("[0-9a-f]{64}")


@pytest.mark.parametrize("name", sorted(path.name for path in PLACE.glob("labels*.tsv")))
def test_every_label_says_what_was_read_and_why(name: str) -> None:
    """A row names its merge once, by the set's own id or by repository, commit and path, and says what was found."""
    with (PLACE / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True))
    named = ["id"] if name == "labels.tsv" else ["repository", "merge", "path"]
    assert rows
    assert [*rows[0]] == [*named, "verdict", "rules", "reason", "sha256"]
    assert len({tuple(row[column] for column in named) for row in rows}) == len(rows)
    for row in rows:
        assert all(row.values()), row
        assert row["verdict"] in {"right", "wrong", "doubtful"}, row
        assert row["reason"].endswith("."), row
        assert SHA256.fullmatch(row["sha256"]), row
        assert COMMIT.fullmatch(row.get("merge", "0" * 40)), row
        assert row.get("repository", "/").count("/") == 1, row
