"""Deaths of a database in the middle of verbs, and connections cut before a commit, behind it, or anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proof.store_judge import judge
from proof.store_server import CuttingProxy
from proof.survivors import Case, now_ns, of_database

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from proof.store_judge import Wrong
    from proof.store_server import Server
    from proof.survivors import Crew

DEATHS = 6
"""Deaths of the server in one case."""
PAUSE_S = 0.35
"""Mean time between two."""
CUT_S = 4.0
CHANCE = 0.04
"""Of a commit to be cut around."""
SLACK_NS = 20_000_000


def killed(crew: Crew, server: Server, place: Path, seed: str, plant: str = "") -> tuple[Wrong, Counter[str]]:
    """Kill the server and its processes, and survivors, again and again; judge what is left."""
    store = server.store(seed)
    case = Case(crew, place, seed, store=store, plant=plant)
    case.make()
    case.begin()
    case.until_well()
    for _ in range(DEATHS):
        case.lasts(case.rng.expovariate(1 / PAUSE_S))
        case.deaths_ns.append(now_ns())
        if case.rng.random() < 0.6:
            server.kill()
            case.counts["servers killed"] += 1
            case.lasts(case.rng.uniform(0, 0.3))
            server.start()
        elif server.kill_one(case.rng):
            case.counts["processes of servers killed"] += 1
        if case.rng.random() < 0.4:
            case.kill()
    case.until_well()
    case.room()
    case.until_well()
    case.end()
    wrong = judge(case.story(), of_database(store), slack_ns=SLACK_NS)
    crew.do("drop", store=store)
    return wrong, case.counts


def cut(crew: Crew, server: Server, place: Path, seed: str, plant: str = "") -> tuple[Wrong, Counter[str]]:
    """Cut connections around commits; judge what is left."""
    proxy = CuttingProxy(server.told["port"], seed, chance=CHANCE)
    store = server.store(seed)
    try:
        case = Case(crew, place, seed, store=server.through(proxy.port, seed), plant=plant)
        crew.do("make", store=store)
        case.begin()
        for _ in range(2):
            case.lasts(CUT_S / 2)
            case.kill()
        proxy.chance = 0.0
        case.until_well()
        case.room()
        case.until_well()
        case.end()
    finally:
        proxy.close()
    for name, times in proxy.cuts.items():
        case.counts[f"cut {name}"] = times
    wrong = judge(case.story(), of_database(store), slack_ns=SLACK_NS)
    crew.do("drop", store=store)
    return wrong, case.counts
