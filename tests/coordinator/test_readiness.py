"""Findings as tasks: whatever is found, a run can take it."""

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.code.readiness.records import Finding, Kind, Location, finding
from pucs.coordinator.readiness import TITLE_MAX, as_tasks, readiness
from pucs.core.resources import path_resource
from pucs.core.severities import Severity
from pucs.tasks.file import parse_tasks
from pucs.testing.sources import FakeIndex, FakeParsers, FakeSources

OWNERS = {
    "a/one.py": "a",
    "a/two.py": "a",
    "b/one.py": "b",
    "b/two.py": "b",
    "c::d.py": "c",
    "setup.py": None,
}
LOCATIONS = st.builds(Location, st.sampled_from(sorted(OWNERS)), st.integers(0, 9))


def found(number: int, places: list[Location], text: str) -> Finding:
    return finding(
        Kind.TWIN_MODULES,
        Severity.HIGH,
        [str(number)],
        f"{text} x",
        places,
        f"Do {text}",
        guess=number % 2 == 0,
    )


FINDINGS = st.lists(
    st.tuples(st.lists(LOCATIONS, min_size=1, max_size=5), st.text(max_size=200)), max_size=6
).map(lambda drawn: [found(number, places, text) for number, (places, text) in enumerate(drawn)])


@given(FINDINGS)
@settings(max_examples=25, deadline=None)
def test_remedies_are_tasks_of_one_stream_each_that_never_meet_in_a_file(findings: list[Finding]) -> None:
    """They parse, stay within a stream, cover every place, and of two that name one file one comes after the other."""
    made = as_tasks(findings, OWNERS.get, ["a", "b", "c"])
    text = yaml.safe_dump({"tasks": made}, allow_unicode=False)
    tasks = parse_tasks(text, "t.yaml", streams=("a", "b", "c")) if made else ()
    before: dict[str, set[str]] = {}
    last: dict[str, str] = {}
    for task in tasks:
        before[task.id] = {*task.after, *(earlier for one in task.after for earlier in before[one])}
        owners = {owner for path, owner in OWNERS.items() if path_resource(path) in task.files}
        assert owners <= {task.stream, None}
        assert len(task.title) <= TITLE_MAX
        for path in task.files:
            assert path not in last or last[path] in before[task.id]
            last[path] = task.id
    for one in findings:
        lined = [place for place in one.locations if place.line] or one.locations
        assert {path_resource(place.file) for place in lined} <= set(last)


def test_scripts_that_import_each_other_are_found_through_the_settings_of_their_compiler() -> None:
    """Circles are told of JavaScript and TypeScript as well; likeness is told of Python alone."""
    twin = "export class Cart {\n  constructor(p) { this.p = p }\n  total() { return this.p }\n}\n"
    sources = FakeSources({
        "tsconfig.json": '{"compilerOptions": {"paths": {"#shop/*": ["./src/shop/*"]}}}',
        "src/shop/cart.ts": "import { tax } from '#shop/tax'\nexport const cart = () => tax\n" + twin,
        "src/shop/tax.ts": "import { cart } from './cart'\nexport const tax = () => cart\n" + twin,
    })
    found = readiness(sources, FakeIndex(), FakeParsers(sources)).findings
    assert [one.kind for one in found] == [Kind.IMPORT_CYCLE]
    assert {place.file for place in found[0].locations} == {"src/shop/cart.ts", "src/shop/tax.ts"}
