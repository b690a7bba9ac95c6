"""Writes merges out for a reader: what was merged, what became of it, and what people made of it."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING

from benchmarks.merging.corpus import Case, Contents, by_repository, contents, repository
from benchmarks.merging.running import line_merge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.merging.running import Outcome


def write(repos: Path, cases: Sequence[Case], picked: Sequence[Outcome], place: Path) -> None:
    """Write one file for each result, and the beginning of a ``labels.tsv`` to fill in."""
    wanted = {one.id: one for one in picked}
    place.mkdir(parents=True, exist_ok=True)
    for name, lot in by_repository([case for case in cases if case.id in wanted]):
        held = contents(repository(repos, name), lot)
        for case in lot:
            text = "\n".join(_page(case, held[case.id], wanted[case.id]))
            (place / f"{case.id}.diff").write_text(text, encoding="utf-8", errors="surrogateescape")
    rows = ["id\tverdict\trules\treason\tsha256"]
    for one in picked:
        rules = ",".join(dict.fromkeys(name for name, _ in one.rules))
        rows.append(f"{one.id}\t\t{rules}\t\t{one.sha256}")
    (place / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _page(case: Case, held: Contents, outcome: Outcome) -> Iterator[str]:
    from pucs.merge.merging import LineMerge, merge  # noqa: PLC0415 - after the path is set
    from pucs.merge.records import Versions  # noqa: PLC0415

    gits = line_merge(held)
    merged = merge(case.path, Versions(held.base, held.ours, held.theirs), LineMerge(*gits)).content
    yield f"{case.id} {case.repository} {case.merge} {case.path} ({case.kind}): {outcome.verdict}"
    for rule, tier in dict.fromkeys(outcome.rules):
        yield f"  {rule} ({tier})"
    base = held.base or b""
    for title, one, other in (
        ("base to ours", base, held.ours),
        ("base to theirs", base, held.theirs),
        ("ours to merged", held.ours, merged),
        ("theirs to merged", held.theirs, merged),
        ("merged to what people committed", merged, held.human),
    ):
        yield f"\n######## {title}"
        yield from unified_diff(_lines(one), _lines(other), lineterm="", n=4)


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "surrogateescape").split("\n")
