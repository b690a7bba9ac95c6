"""Analyses put together from a checkout in memory: what they tell, and what is kept of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.cli.proposed import configuration_text
from pucs.coordinator.analysis_document import analysis_document
from pucs.streams.boundaries import Boundaries, check_overlaps
from pucs.streams.configuration import parse
from pucs.streams.settings import Configuration
from pucs.testing.sources import FakeIndex, FakeParsers, FakeSources

SHOP = {
    "stock/__init__.py": '"""What is in store."""\n',
    "stock/items.py": "class Item:\n    pass\n\n\ndef count():\n    return 1\n",
    "shop/cart.py": "from stock.items import Item\nfrom shop.price import total\n\nprint(Item, total)\n",
    "shop/price.py": "from stock.items import count\n\n\ndef total():\n    return count()\n",
    "report/daily.py": "from stock.items import Item\nfrom shop.price import total\n\nprint(Item, total)\n",
    "report/weekly.py": "import report.daily\n",
    "tests/test_cart.py": "from shop.cart import Item\n",
    "setup.py": "",
    "run.sh": "",
}


def analysed(
    files: Mapping[str, str | bytes],
    index: FakeIndex | None = None,
    configuration: Configuration | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Return the document of a checkout with these files."""
    sources = FakeSources(files, options.pop("history", ()))
    options.setdefault("rules", "1")
    return analysis_document(
        sources, index or FakeIndex(), FakeParsers(sources), configuration=configuration, **options
    )


def test_a_small_repository_is_understood() -> None:
    """Streams, who imports whom, the order of merging, and what is shared follow from the code."""
    found = analysed(dict(SHOP))
    assert {name: stream["dependencies"] for name, stream in found["streams"].items()} == {
        "report": ["shop", "stock"],
        "shop": ["stock"],
        "stock": [],
    }
    assert found["streams"]["stock"]["description"] == "What is in store."
    assert found["streams"]["shop"]["test_pattern"] == ["tests/"]
    assert found["merge_phases"] == [["stock"], ["shop"], ["report"]]
    assert {"importer": "report", "imported": "shop", "imports": 1} in found["ties"]
    assert found["uncovered"] == ["run.sh", "setup.py"]
    assert found["unread"] == {"sh": 1}
    assert found["critical_files"][0]["path"] == "stock/items.py"
    assert found["streams"]["report"]["independence_pct"] == 33


def test_every_field_that_was_promised_is_there() -> None:
    """Names of the document are for others to rely on."""
    found = analysed(dict(SHOP))
    promised = {"modules", "layers", "critical_files", "streams", "merge_phases", "uncovered"}
    assert promised <= found.keys()
    assert {"path", "files", "lines", "independence_pct"} <= found["modules"][0].keys()
    assert {"path", "risk", "users", "score"} <= found["critical_files"][0].keys()
    assert {"files_pattern", "description", "dependencies", "test_pattern", "max_agents", "files", "team_size"} <= (
        found["streams"]["shop"].keys()
    )  # fmt: skip


def test_declared_streams_are_compared_with_what_they_import() -> None:
    """Of an existing configuration, missing and needless dependencies are told, and files it leaves out."""
    declared = parse(
        "streams:\n  sale: {files_pattern: [shop/, report/]}\n  stock: {files_pattern: stock/, dependencies: [sale]}\n",
        "pucs.yaml",
        {},
    )
    found = analysed(dict(SHOP), configuration=declared)
    assert found["declared"]
    assert found["drift"] == [
        {"stream": "sale", "declared": [], "missing": [{"stream": "stock", "imports": 3}], "unused": []},
        {"stream": "stock", "declared": ["sale"], "missing": [], "unused": ["sale"]},
    ]
    assert found["streams"]["sale"]["files"] == 4
    assert found["uncovered"] == ["run.sh", "setup.py"]


def test_what_was_found_is_kept_for_the_same_code() -> None:
    """Nothing is found twice; other files, history, rules, methods or streams make it anew."""
    index = FakeIndex()
    first = analysed(dict(SHOP), index)
    (key,) = [key for key in index.facts if key.reader.startswith("analysis")]
    index.facts[key] = zlib.compress(json.dumps({**first, "files": -1}).encode())
    assert analysed(dict(SHOP), index)["files"] == -1
    declared = parse("streams:\n  sale: {files_pattern: shop/}\n", "pucs.yaml", {})
    for other in (
        analysed(SHOP | {"new.py": ""}, index),
        analysed(dict(SHOP), index, history=[(1, ("setup.py",))]),
        analysed(dict(SHOP), index, rules="2"),
        analysed(dict(SHOP), index, method="imports"),
        analysed(dict(SHOP), index, declared),
    ):
        assert other["files"] >= first["files"]


@pytest.mark.parametrize("damage", [b"", b"x", zlib.compress(b"["), zlib.compress(b"[]")])
def test_a_damaged_document_is_made_anew(damage: bytes) -> None:
    """What is kept is trusted only as far as it can be read."""
    index = FakeIndex()
    first = analysed(dict(SHOP), index)
    (key,) = [key for key in index.facts if key.reader.startswith("analysis")]
    index.facts[key] = damage
    assert analysed(dict(SHOP), index) == first


def test_an_analysis_that_is_cut_short_says_so_and_is_not_kept() -> None:
    """What was not read counts by where it lies; the next call goes on from there."""
    index = FakeIndex()
    found = analysed(dict(SHOP), index, enough=lambda: True)
    assert found["skipped"] == 8
    assert found["streams"].keys() == {"report", "shop", "stock"}
    assert not index.facts
    assert analysed(dict(SHOP), index)["skipped"] == 0


def test_advice_follows_the_past_where_it_says_something() -> None:
    """Proposals alike in all figures: what everybody knows; a past that kept to communities: these."""
    assert analysed(dict(SHOP))["advice"]["method"] == "directories"
    crossing: dict[str, str | bytes] = {}
    for number in range(6):
        crossing[f"views/v{number}.py"] = f"import models.m{number}\n"
        crossing[f"models/m{number}.py"] = f"import forms.f{number}\n"
        crossing[f"forms/f{number}.py"] = ""
    history = [(n, (f"views/v{n % 6}.py", f"models/m{n % 6}.py", f"forms/f{n % 6}.py")) for n in range(40)]
    advice = analysed(crossing, history=history)["advice"]
    assert advice["method"] == "imports"
    assert "100 % would have stayed" in advice["reason"]


def test_without_code_there_is_nothing_to_tell() -> None:
    """An empty repository and one of texts have no streams; what would be written covers everything."""
    for files in ({}, {"README.md": "A shop.\n"}):
        found = analysed(dict(files))
        assert (found["files"], found["modules"], found["streams"], found["advice"]) == (0, [], {}, None)
        assert parse(configuration_text(found), "pucs.yaml", {}).streams[0].files_pattern == ("**",)


PARTS = st.text(alphabet="ab/.$!*[]{},'\"#: \\äТ\n\udce9", min_size=1, max_size=6)
NAMES = st.sampled_from(["src", "tests", "shop", "docs", "all", "Shop", "x y"])
FILES = st.lists(
    st.builds(
        lambda above, name, ending: "/".join(part for part in "/".join([*above, name + ending]).split("/") if part.strip(". ")),
        st.lists(PARTS | NAMES, max_size=3), PARTS | NAMES, st.sampled_from([".py", ".ts", ".md", "_test.go"]),
    ).filter(bool),
    max_size=12,
    unique=True,
)  # fmt: skip


@settings(max_examples=40)
@given(FILES, st.sampled_from(["directories", "imports"]))
def test_any_proposal_is_a_valid_configuration(files: list[str], method: str) -> None:
    """Whatever the files are called, the proposal is read back as it was and no file is in two streams."""
    found = analysed(dict.fromkeys(files, "import os\n"), method=method)
    configuration = parse(configuration_text(found), "pucs.yaml", {})
    assert not configuration.warnings
    assert not check_overlaps(configuration, files)
    if found["streams"]:
        assert [stream.name for stream in configuration.streams] == list(found["streams"])
        coverage = Boundaries(configuration.streams).coverage(files)
        assert all(coverage.by_stream.values())
