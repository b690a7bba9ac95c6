"""What one part of the proof tells the table: how much it tried, which rules held, which planted bugs were noticed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

SQLITE, POSTGRESQL = "sqlite", "postgresql"


@dataclass(kw_only=True, slots=True)
class Tally:
    """The result of one part on one store."""

    part: str
    """Name in the table, as ``faults of landing``."""
    store: str = ""
    """``sqlite`` or ``postgresql``; empty where neither is in play."""
    passed: int = 0
    """Cases in which every rule held, and planted bugs that were caught."""
    failed: int = 0
    killed: int = 0
    """Processes of the system under proof that were ended with SIGKILL."""
    duration_s: float = 0.0
    figures: Counter[str] = field(default_factory=Counter)
    """How much was tried, by name, in the order shown."""
    rules: dict[str, int] = field(default_factory=dict)
    """Each rule that was judged and how often it was broken."""
    planted: dict[str, str] = field(default_factory=dict)
    """Each planted bug that was tried, and the rules that caught it; empty: it was not caught."""
    left_out: str = ""
    """Why the part, or some of it, did not run; the full form counts that as a failure."""

    def judge(self, name: str, wrong: list[tuple[str, str]]) -> None:
        """Count one case by what was wrong with it (rule and what broke it), and print a line of it."""
        self.failed += bool(wrong)
        self.passed += not wrong
        print(f"{self.part} {self.store} {name} {'FAILED' if wrong else 'ok'}", flush=True)
        for rule, what in wrong:
            self.rules[rule] = self.rules.get(rule, 0) + 1
            print(f"    {rule}: {what}", flush=True)

    def caught(self, name: str, rules: str) -> None:
        """Count one planted bug by the rules that caught it; empty: none did."""
        self.planted[name] = rules
        self.failed += not rules
        self.passed += bool(rules)
        print(f"{self.part} {self.store} planted {name!r}: {rules or 'NOT CAUGHT'}", flush=True)


def table(tallies: list[Tally]) -> list[str]:
    """Return the lines of the one table at the end, widths fitted."""
    rows = [("part", "store", "passed", "failed", "SIGKILL", "time", "what was tried")]
    rows += [
        (
            one.part,
            one.store or "-",
            str(one.passed),
            str(one.failed),
            str(one.killed),
            f"{one.duration_s:.0f} s",
            one.left_out or ", ".join(f"{count} {name}" for name, count in one.figures.items()),
        )
        for one in tallies
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[6]])
        for row in rows
    ]
    for one in tallies:
        name = f"{one.part} {one.store}".strip()
        lines += [
            f"rule     {name:<34} {rule:<20} {'held' if not times else f'BROKEN {times} times'}"
            for rule, times in one.rules.items()
        ]
    for one in tallies:
        name = f"{one.part} {one.store}".strip()
        lines += [
            f"planted  {name:<34} {bug:<32} {f'caught by {rules}' if rules else 'NOT CAUGHT'}"
            for bug, rules in one.planted.items()
        ]
    return lines
