"""Settings of any shape: what is put in is there, what was there stays, and what is taken out leaves the very text."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pucs.hooks.installing_claude import hooks
from pucs.hooks.installing_settings import Groups, installed, ours, uninstalled

WANTED = hooks("/home/ann/shop/.git/pucs/hook")
ELSEWHERE = hooks("/home/ann/it's older/.git/pucs/hook")
EVENTS = st.sampled_from(["PreToolUse", "Stop", "Notification", "SessionStart"])
WORDS = st.text(max_size=8)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
HANDLERS = st.fixed_dictionaries(
    {"type": st.just("command"), "command": WORDS}, optional={"timeout": st.integers()}
)
GROUPS = st.fixed_dictionaries(
    {"hooks": st.lists(HANDLERS, min_size=1, max_size=2)}, optional={"matcher": WORDS}
)
SETTINGS = st.dictionaries(WORDS.filter(lambda key: key != "hooks"), PLAIN, max_size=3).flatmap(
    lambda others: (
        st.dictionaries(EVENTS, st.lists(GROUPS, min_size=1, max_size=2), min_size=1, max_size=3).map(
            lambda events: {**others, "hooks": events}
        )
        | st.just(others)
    )
)
TEXTS = st.tuples(
    SETTINGS,
    st.sampled_from([None, 1, 2, 4, "\t"]),
    st.booleans(),
    st.sampled_from(["", "\n"]),
    st.sampled_from(["\n", "\r\n"]),
).map(
    lambda drawn: (json.dumps(drawn[0], indent=drawn[1], ensure_ascii=drawn[2]) + drawn[3]).replace(
        "\n", drawn[4]
    )
)


def others(document: dict[str, Any]) -> dict[str, Any]:
    """Return settings without our hooks, by their meaning."""
    events = {
        event: [group for group in groups if group not in WANTED.get(event, [])]
        for event, groups in document.get("hooks", {}).items()
    }
    kept: Groups = {event: groups for event, groups in events.items() if groups}
    rest = {key: value for key, value in document.items() if key != "hooks"}
    return {**rest, **({"hooks": kept} if kept else {})}


@given(TEXTS)
def test_what_is_installed_is_added_to_what_is_there(text: str) -> None:
    """Each of our hooks is there once, and everything else means what it meant before."""
    once = installed(text, "settings", WANTED)
    document = json.loads(once)
    assert [document["hooks"][event][-len(groups) :] for event, groups in WANTED.items()] == list(
        WANTED.values()
    )
    assert others(document) == json.loads(text)
    assert installed(once, "settings", WANTED) == once


@given(TEXTS)
def test_what_is_uninstalled_leaves_the_very_text(text: str) -> None:
    """Byte for byte, in whatever way it was written."""
    assert uninstalled(installed(text, "settings", WANTED), "settings") == text
    assert uninstalled(text, "settings") == text


@given(TEXTS)
def test_an_older_installation_is_replaced(text: str) -> None:
    """Nothing of it is left, and nothing of ours is there twice."""
    again = installed(installed(text, "settings", ELSEWHERE), "settings", WANTED)
    assert "older" not in again
    assert len(ours(again, "settings")) == sum(len(groups) for groups in WANTED.values())
    assert others(json.loads(again)) == json.loads(text)
