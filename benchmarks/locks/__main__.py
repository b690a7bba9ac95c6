"""Locks under load: PUCS against the seeds' design, fairness, waking, the log and start-up. See docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.locks import costs, fairness, logs, peers, starting, thinking, throughput, waking, world

PARTS = ("throughput", "costs", "peers", "thinking", "fairness", "waking", "log", "start")


def main() -> None:
    """Measure the chosen parts and print a table of each."""
    parser = argparse.ArgumentParser(prog="./run bench locks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; none: all of them"
    )
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes and shorter runs, for a first look"
    )
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--held", type=int, nargs="+", default=[0, 1000, 10_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--length", type=float, default=3.0, metavar="S", help="seconds of each run")
    parser.add_argument(
        "--bernstein",
        metavar="PYTHON",
        default="",
        help="interpreter (3.12 or newer) of an environment with the package bernstein, for the part peers",
    )
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if options.quick:
        options.held, options.length = [0, 1000], min(options.length, 1.0)
    for part in options.parts or PARTS:
        globals()[f"_{part}"](options)


def _throughput(options: argparse.Namespace) -> None:
    print("acquire + release with their entries, pairs per second")
    cells = throughput.measure(options.processes, options.held, options.repeats, options.length)
    print(
        "| held | processes | JSON file | PUCS | ratio (median, min to max) | on PostgreSQL | ratio |\n"
        "|---|---|---|---|---|---|---|"
    )
    for cell in cells:
        low, middle, high = min(cell.ratios), statistics.median(cell.ratios), max(cell.ratios)
        print(
            f"| {cell.held:,} | {cell.processes} | {statistics.median(cell.json):.0f} "
            f"| {statistics.median(cell.pucs):.0f} | {middle:.1f} ({low:.1f} to {high:.1f}) | {_database(cell)} |"
        )


def _database(cell: throughput.Cell) -> str:
    if not cell.database:
        return "not measured | "
    ratios = cell.database_ratios
    return (
        f"{statistics.median(cell.database):.0f} | {statistics.median(ratios):.1f} "
        f"({min(ratios):.1f} to {max(ratios):.1f})"
    )


def _costs(options: argparse.Namespace) -> None:
    for _ in range(1 if options.quick else options.repeats):
        for engine in world.ENGINES:
            with world.place(engine) as place:
                if place is None:
                    continue
                cpu_ms, trips = costs.measure(place)
            print(
                f"a pair in one process, {engine}: {cpu_ms:.2f} ms of its processor, {trips:.1f} round trips"
            )


def _peers(options: argparse.Namespace) -> None:
    count, held = max(options.processes), 1000
    rates = peers.measure(options.bernstein, count, held, options.repeats, options.length)
    print(
        f"| {count} processes, {held:,} held | pairs per second | PUCS did (median, min to max) |\n|---|---|---|"
    )
    print("\n".join(peers.table(rates)))
    if not options.bernstein:
        print("Bernstein was left out: name an interpreter that has it with --bernstein PYTHON.")


def _thinking(options: argparse.Namespace) -> None:
    for clients, engine in [
        (clients, engine) for clients in ((32,) if options.quick else (32, 128)) for engine in world.ENGINES
    ]:
        with world.place(engine) as place:
            if place is None:
                continue
            took, rate = thinking.measure(place, clients, 3.0 if options.quick else 10.0)
        p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
        print(
            f"thinking 0.2 s between pairs, {clients} clients, {engine}: acquire p50 {p50:.2f} ms, p99 {p99:.1f} ms, "
            f"max {took[-1]:.1f} ms, {rate:.0f} pairs per second"
        )


def _fairness(options: argparse.Namespace) -> None:
    for _ in range(1 if options.quick else options.repeats):
        grants = fairness.measure(2.0 if options.quick else 6.0)
        print(f"fairness on one hot file: {min(grants)} to {max(grants)} grants each, "
              f"{min(grants) / max(grants):.2f}, {sum(grants)} in all")  # fmt: skip


def _waking(options: argparse.Namespace) -> None:
    for engine in world.ENGINES:
        with world.place(engine) as place:
            if place is None:
                continue
            found = waking.measure(place, 50 if options.quick else 300)
        p50, p99 = found[len(found) // 2], found[int(len(found) * 0.99)]
        print(f"waking, {engine}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, {len(found)} trials")


def _log(options: argparse.Namespace) -> None:
    entries = 50_000 if options.quick else 1_000_000
    found = logs.measure(entries, 50)
    print(
        f"last 100 entries of {entries:,}: " + ", ".join(f"{what} {ms:.2f} ms" for what, ms in found.items())
    )


def _start(options: argparse.Namespace) -> None:
    found = starting.measure(5 if options.quick else 15)
    if found is None:
        print("start: pucs status does not work here")
    else:
        print(
            f"start: bare Python {found[0]:.0f} ms, pucs status {found[1]:.0f} ms, {found[1] / found[0]:.1f} x"
        )


if __name__ == "__main__":
    main()
