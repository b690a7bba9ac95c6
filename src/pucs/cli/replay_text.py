"""What a replay tells people: figures first, then where to look."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING, Any, Final

from pucs.cli.door import count, one_line, table
from pucs.merge.agreement import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.coordinator.replaying import Replayed

EXAMPLES_SHOWN: Final = 3
"""Files named of each kind: enough to begin to look."""
_KINDS: Final = (
    ("Differ from what people committed", Verdict.DIFFERS),
    ("Do not parse, which is a mistake", Verdict.UNPARSABLE),
    ("Still in conflict", Verdict.CONFLICT),
)


def lines(document: dict[str, Any]) -> Iterator[str]:
    """Give the report of a replay, line by line."""
    yield f"{one_line(document['repository'])}: {_merges(document)}"
    if document["interrupted"]:
        yield "Interrupted; this is what there was by then."
    if document["conflicted"]:
        yield from _figures(document)
    yield from _left_out(document)
    yield from _examples(document)


def _merges(document: dict[str, Any]) -> str:
    if not document["merges"]:
        return "no merges of two commits to replay."
    replayed, asked = document["replayed"], document["merges"]
    of = "" if replayed == asked else f" of {asked}"
    return (
        f"{count(replayed, 'merge')}{of} replayed, {document['conflicting_merges']} with conflicts, "
        f"{count(document['conflicted'], 'file')} to compare."
    )


def _figures(document: dict[str, Any]) -> Iterator[str]:
    files, resolved = document["conflicted"], document["resolved"]
    verdicts = document["verdicts"]
    yield ""
    yield f"RESOLVED (--accept {document['accept']})"
    times = document["ms"]
    yield (
        f"  {resolved} of {count(files, 'file')} ({_pct(resolved, files)}); "
        f"one takes {times['p50']:.0f} ms (p50), {times['p95']:.0f} ms (p95)"
    )
    if resolved:
        yield (
            f"  {document['agrees']} as people did ({_pct(document['agrees'], resolved)} of them): "
            + ", ".join(
                f"{verdicts[each.value]} {each.value}"
                for each in (Verdict.EXACT, Verdict.SPACE, Verdict.SYNTAX, Verdict.ORDER)
            )
        )
        yield f"  {verdicts[Verdict.DIFFERS.value]} differ, {document['unparsable']} do not parse"
    left, gits = document["conflict_lines"]["left"], document["conflict_lines"]["git"]
    yield f"  {left} lines of conflict left where git leaves {gits} ({_pct(left, gits)})"
    if document["resolvers"]:
        yield ""
        rows = [
            (
                one["resolver"],
                one["tier"],
                one["resolved"],
                one["agrees"],
                _pct(one["agrees"], one["resolved"]),
            )
            for one in document["resolvers"]
        ]
        rows += [
            ("all files", tier, one["resolved"], one["agrees"], _pct(one["agrees"], one["resolved"]))
            for tier, one in document["tiers"].items()
            if one["resolved"]
        ]
        yield from table(rows, ("RESOLVER", "TIER", "FILES", "AS PEOPLE", "SHARE")).splitlines()
        yield "A file that several resolvers took part in counts for each."


def _left_out(document: dict[str, Any]) -> Iterator[str]:
    if not document["left_out"]:
        return
    yield ""
    yield "LEFT OUT"
    for reason, number in document["left_out"].items():
        yield f"  {number}  {reason}"
    for one in document["not_redone"]:
        yield f"  {one['merge'][:10]}: {one_line(one['detail']) or one['reason']}"


def _examples(document: dict[str, Any]) -> Iterator[str]:
    named = False
    for heading, verdict in _KINDS:
        some = [one for one in document["per_file"] if one["verdict"] == verdict]
        if not some:
            continue
        yield ""
        yield heading.upper()
        for one in some[:EXAMPLES_SHOWN]:
            by = ", ".join(dict.fromkeys(each["resolver"] for each in one["resolvers"]))
            yield f"  {one_line(one['id'])}" + (f"  ({by})" if by else "")
        if len(some) > EXAMPLES_SHOWN:
            yield f"  and {len(some) - EXAMPLES_SHOWN} more: --json"
        named = True
    if named:
        yield ""
        yield "Look at one:  pucs merge replay REPO --show ID"
    if document["verdicts"][Verdict.DIFFERS.value]:
        yield (
            "To differ from people is not to be wrong: while they merge, they also drop, rewrite and add things. "
            "Read the difference."
        )


def shown(one: Replayed) -> Iterator[str]:
    """Give one file: git's conflict, what was settled and what not, and the proposal beside what people committed."""
    yield f"{one_line(one.id)}: {one.verdict.value}"
    yield f"  ours {one.conflict.merge.ours[:10]}, theirs {one.conflict.merge.theirs[:10]}, in {one.took_s * 1000:.0f} ms"
    for each in one.merged.resolutions:
        where = f" in {each.entity}" if each.entity else ""
        yield f"  line {each.first_line}: {each.resolver} ({each.tier.value}){where}, {count(each.lines, 'line')}"
    for left in one.merged.conflicts:
        about = ": ".join(part for part in (left.entity, left.reason) if part)
        yield f"  line {left.first_line}: conflict of {count(left.lines, 'line')}" + (
            f" ({one_line(about)})" if about else ""
        )
    yield ""
    yield "GIT'S CONFLICT"
    yield from (f"  {line}" for line in _conflict(one.conflict.merged))
    yield ""
    changes = differences(one)
    yield "FROM WHAT PEOPLE COMMITTED (-) TO THE PROPOSAL (+)" if changes else "The same as people committed."
    yield from (f"  {line}" for line in changes)


def differences(one: Replayed) -> list[str]:
    """Return the lines of a unified diff from what people committed to the proposal; empty: none."""
    if one.merged.content == one.conflict.committed:
        return []
    committed, proposed = _printable(one.conflict.committed), _printable(one.merged.content)
    found = list(unified_diff(committed, proposed, "committed", "proposed", lineterm=""))
    return found or ["(only in the ends of lines, or in bytes that cannot be printed)"]


def _conflict(content: bytes) -> Iterator[str]:
    inside = False
    for line in _printable(content):
        inside = inside or line.startswith("<<<<<<< ")
        if inside:
            yield line
        inside = inside and not line.startswith(">>>>>>> ")


def _printable(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace").expandtabs(4)
    return [one_line(line.removesuffix("\r")) for line in text.split("\n")]


def _pct(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
