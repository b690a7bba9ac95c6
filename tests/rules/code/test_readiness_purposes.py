"""Guesses of one purpose under other names."""

from pucs.code.readiness.purposes import purposes
from pucs.code.readiness.records import Finding
from tests.rules.code.readiness_views import view

PAD = "\n".join(f"        self.part{number} = {number}" for number in range(20))
EXPAND = """
class Settings:
    def {name}(self, data):
        if isinstance(data, dict):
            return {{key: self.{name}(value) for key, value in data.items()}}
        if isinstance(data, list):
            return [self.{name}(item) for item in data]
        if isinstance(data, str):
            return re.sub("[$]([A-Z]+)", lambda found: os.environ.get(found[1], ""), data)
        return data
"""


def manager(name: str, *methods: str, base: str = "") -> str:
    body = "".join(f"    def {method}(self):\n        return self.{method}_\n" for method in methods)
    return f"class {name}({base}):\n    def __init__(self):\n{PAD}\n{body}"


def told(files: dict[str, str]) -> list[Finding]:
    return list(purposes(view(files)))


def test_classes_of_one_ending_that_share_methods_are_a_guess() -> None:
    """Two that share methods make a family, and a third of the same ending is named with them."""
    (found,) = told({
        "a/one.py": manager("SessionStateManager", "add_note", "add_blocker"),
        "b/two.py": manager("NightStateManager", "add_note", "add_blocker", "go_on"),
        "c/three.py": manager("RicStateManager", "phase"),
    })
    assert found.guess
    assert "share add_blocker and add_note" in found.message
    assert "So may RicStateManager" in found.message
    assert len(found.locations) == 3


def test_one_ending_alone_is_no_sign() -> None:
    """Without common methods, or with such as every class has, nothing is said."""
    assert (
        told({
            "a/one.py": manager("SessionStateManager", "add_note", "add_blocker"),
            "b/two.py": manager("NightStateManager", "stop", "go_on"),
        })
        == []
    )
    common = {f"c/{number}.py": manager(f"Thing{number}", "to_dict", "reset") for number in range(5)}
    assert (
        told({
            **common,
            "a/one.py": manager("SessionStateManager", "to_dict", "reset"),
            "b/two.py": manager("NightStateManager", "to_dict", "reset"),
        })
        == []
    )


def test_classes_that_know_each_other_are_two_things() -> None:
    """One base class, or one that imports the other, shows that somebody told them apart."""
    one = manager("SessionStateManager", "add_note", "add_blocker")
    two = manager("NightStateManager", "add_note", "add_blocker")
    assert told({"a/one.py": one, "b/two.py": "from a.one import SessionStateManager\n" + two}) == []
    base = manager("Base", "add_note")
    assert (
        told({
            "base.py": base,
            "a/one.py": "from base import Base\n" + one.replace("()", "(Base)", 1),
            "b/two.py": "from base import Base\n" + two.replace("()", "(Base)", 1),
        })
        == []
    )


def test_nearly_equal_names_are_a_sign_too() -> None:
    """One more word within the name, and the same methods."""
    (found,) = told({
        "a/one.py": manager("FinBERTAnalyzer", "analyze", "analyze_batch"),
        "b/two.py": manager("FinBERTSentimentAnalyzer", "analyze", "analyze_batch"),
    })
    assert "are nearly called the same and share analyze and analyze_batch" in found.message


def test_functions_that_differ_in_their_verb_are_compared() -> None:
    """Alike bodies make a guess; different ones, or two methods of one class, do not."""
    (found,) = told({
        "a/one.py": EXPAND.format(name="_expand_env_vars"),
        "b/two.py": EXPAND.format(name="_substitute_env_vars"),
    })
    assert "Settings._expand_env_vars and Settings._substitute_env_vars differ in their verb" in found.message
    other = "def check_env_vars(names):\n" + "".join(f"    print('{n}', names[{n}])\n" for n in range(8))
    assert told({"a/one.py": EXPAND.format(name="_expand_env_vars"), "b/two.py": other}) == []
    both = EXPAND.format(name="_expand_env_vars") + EXPAND.format(name="_check_env_vars").replace(
        "class Settings:\n", ""
    )
    assert told({"a/one.py": both, "b/two.py": EXPAND.format(name="_check_env_vars")}) == []
