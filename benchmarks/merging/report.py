"""Tables of a run, for people and for docs/reference/benchmarks.md."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from benchmarks.merging.corpus import PALLETS
from benchmarks.merging.judging import RIGHT
from benchmarks.merging.labels import Label, interval, judgement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.merging.running import Clean, Outcome

VERDICTS = (
    "exact", "white space", "same syntax", "other order", "differs", "does not parse", "unread", "crash", "conflict",
)  # fmt: skip
GROUPS: dict[str, Callable[[Outcome], bool]] = {
    "all": lambda _one: True,
    "solvable": lambda one: one.solvable,
    "mixed": lambda one: one.kind == "mixed",
    "ours": lambda one: one.kind == "ours",
    "theirs": lambda one: one.kind == "theirs",
    "without Pallets": lambda one: not one.repository.startswith(PALLETS),
    "solvable without Pallets": lambda one: one.solvable and not one.repository.startswith(PALLETS),
}


def tables(found: dict[str, list[Outcome]]) -> Iterator[str]:
    """Give the tables of the conflicts."""
    yield "| files | tier | number | resolved | right | right of resolved | git resolves | always ours right |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, belongs in GROUPS.items():
        for tier, outcomes in found.items():
            yield _row(name, tier, [one for one in outcomes if belongs(one)])
    yield ""
    yield from _verdicts(found)
    yield ""
    yield "| repository | tier | number | resolved | right | right of resolved | git resolves | always ours right |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in sorted({one.repository for outcomes in found.values() for one in outcomes}):
        for tier, outcomes in found.items():
            yield _row(name.replace("+", "/"), tier, [one for one in outcomes if one.repository == name])
    for tier, outcomes in found.items():
        yield ""
        yield from _rules(tier, outcomes)
    yield ""
    yield from _costs(found)


def _row(name: str, tier: str, some: Sequence[Outcome]) -> str:
    resolved, right = sum(one.resolved for one in some), sum(one.right for one in some)
    gits = sum(one.git_verdict != "conflict" for one in some)
    control = sum(one.ours_verdict in RIGHT for one in some)
    cells = (
        name,
        words(tier),
        str(len(some)),
        pct(resolved, len(some)),
        pct(right, len(some)),
        pct(right, resolved),
        pct(gits, len(some)),
        pct(control, len(some)),
    )
    return f"| {' | '.join(cells)} |"


def words(tier: str) -> str:
    """Return a tier as the tables name it."""
    return "AUTO" if tier == "auto" else "AUTO + REVIEW"


def pct(part: int, whole: int) -> str:
    """Return a share."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _verdicts(found: dict[str, list[Outcome]]) -> Iterator[str]:
    yield f"| | {' | '.join(VERDICTS)} | does not compile | the product judges otherwise |"
    yield "|---" * (len(VERDICTS) + 3) + "|"
    for tier, outcomes in found.items():
        count = Counter(one.verdict for one in outcomes)
        other = [one for one in outcomes if one.resolved and one.own_verdict in RIGHT and not one.right]
        other += [one for one in outcomes if one.right and one.own_verdict not in RIGHT]
        cells = [*(count[name] for name in VERDICTS), sum(one.broken for one in outcomes), len(other)]
        yield f"| {words(tier)} | {' | '.join(map(str, cells))} |"


def _rules(tier: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    part: defaultdict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for one in outcomes:
        for rule in set(one.rules):
            part[rule].append(one)
    yield f"| resolver ({words(tier)}) | its tier | files it took part in | resolved | right | right of resolved | alone |"
    yield "|---|---|---|---|---|---|---|"
    for (name, own), some in sorted(part.items(), key=lambda item: -sum(one.resolved for one in item[1])):
        resolved, right = sum(one.resolved for one in some), sum(one.right for one in some)
        alone = sum(one.resolved and len(set(one.rules)) == 1 for one in some)
        yield f"| {name} | {own} | {len(some)} | {resolved} | {right} | {pct(right, resolved)} | {alone} |"


def _costs(found: dict[str, list[Outcome]]) -> Iterator[str]:
    yield "| | p50 | p95 | longest | processor p50 | p95 | lines of conflict left | git's | larger than git's |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for tier, outcomes in found.items():
        times = sorted(one.ms for one in outcomes) or [0.0]
        busy = sorted(one.cpu_ms for one in outcomes) or [0.0]
        left, gits = sum(one.left_lines for one in outcomes), sum(one.git_lines for one in outcomes)
        larger = sum(one.left_lines > one.git_lines for one in outcomes)
        yield (
            f"| {words(tier)} | {percentile(times, 50):.0f} ms | {percentile(times, 95):.0f} ms | {times[-1]:.0f} ms "
            f"| {percentile(busy, 50):.0f} ms | {percentile(busy, 95):.0f} ms "
            f"| {left} ({pct(left, gits)}) | {gits} | {larger} |"
        )


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the value that so many percent do not exceed."""
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def clean_lines(found: Sequence[Clean]) -> Iterator[str]:
    """Give what came of merges that git makes without a conflict."""
    same = sum(one.identical for one in found)
    yield f"Clean merges: {same} of {len(found)} are git's, byte for byte."
    loud = [one for one in found if one.objections]
    yield f"Guards object to {len(loud)} of them" + (
        f": {', '.join(one.id for one in loud[:10])}" if loud else "."
    )
    times = sorted(one.ms for one in found) or [0.0]
    yield f"They take p50 {percentile(times, 50):.0f} ms, p95 {percentile(times, 95):.0f} ms."


def label_lines(known: Sequence[Label], outcomes: Sequence[Outcome], total: int) -> Iterator[str]:
    """Give what the labels of a reader say about the merges that are applied without asking."""
    if not known:
        yield "Nobody has labelled results of this yet (--draw)."
        return
    said = judgement(known, outcomes)
    resolved = sum(one.resolved and not one.by_git for one in outcomes)
    yield f"Labels of one reader for AUTO alone, {said.read} of {len(known)} hold for this run's results"
    yield f"  ({said.changed} come out otherwise now, {said.withdrawn} are left as conflicts now)."
    yield f"  right {said.right}, doubtful {said.doubtful}, wrong {said.wrong}: {', '.join(said.wrong_ids) or 'none'}"
    for name, errors in (("wrong", said.wrong), ("wrong or doubtful", said.wrong + said.doubtful)):
        low, high = interval(errors, said.read)
        yield f"  {name}: {pct(errors, said.read)} (95 % interval {low:.1f} to {high:.1f} %)"
    yield f"  coverage: AUTO resolves {resolved} of {total} ({pct(resolved, total)})"
