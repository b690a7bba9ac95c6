"""Same names in different modules: what is told, how urgent it is, and what is alike on purpose."""

import pytest

from pucs.code.readiness.duplicates import duplicates
from pucs.code.readiness.records import Finding, Kind
from pucs.core.severities import Severity
from tests.rules.code.readiness_views import view

PRICE = '''
class Price:
    """A price."""
    amount: int
    currency: str
    rounded: bool

    def in_words(self):
        if self.rounded:
            return f"about {self.amount}"
        return f"{self.amount} {self.currency}"

    def add(self, other):
        assert self.currency == other.currency
        return Price(self.amount + other.amount, self.currency)
'''
OTHER = """
class Price:
    def __init__(self, path):
        self.path = path
        self.lines = open(path).readlines()

    def parse(self, separator):
        for line in self.lines:
            key, _, value = line.partition(separator)
            yield key.strip(), value.strip()
"""
PARSE = '''
def parse_progress_file(path):
    """{doc}"""
    found = {{}}
    for line in open(path):
        name, _, state = line.partition(":")
        if state.strip() == "done":
            found[name] = True
    return found
'''


def told(files: dict[str, str]) -> list[Finding]:
    return list(duplicates(view(files)))


def one(files: dict[str, str]) -> Finding:
    (found,) = told(files)
    return found


def test_a_copied_class_is_found_with_the_one_to_keep() -> None:
    """The one that most files import stays; documentation does not make a copy another thing."""
    found = one({
        "shop/price.py": PRICE,
        "stock/price.py": PRICE.replace("A price.", "What it costs."),
        "a.py": "from shop.price import Price",
        "b.py": "from shop.price import Price",
    })
    assert (found.kind, found.severity, found.guess) == (Kind.DUPLICATE_CLASS, Severity.MEDIUM, False)
    assert "100% alike" in found.message
    assert found.remedy.startswith("Keep Price of shop/price.py (2 files import it)")
    assert [(place.file, place.line) for place in found.locations] == [
        ("shop/price.py", 2),
        ("stock/price.py", 2),
    ]


def test_different_things_of_one_name_are_left_alone() -> None:
    """Two classes that share nothing but their name are no work for anybody."""
    assert told({"shop/price.py": PRICE, "lists/price.py": OTHER}) == []


def test_a_name_that_hides_another_is_urgent_however_little_alike() -> None:
    """The second import of a name wins without a word; two names for two classes are on purpose."""
    files = {"shop/price.py": PRICE, "lists/price.py": OTHER}
    hidden = one({**files, "both.py": "from shop.price import Price\nfrom lists.price import Price"})
    assert hidden.severity is Severity.HIGH
    assert "In both.py one hides another" in hidden.message
    assert (
        told({**files, "both.py": "from shop.price import Price\nfrom lists.price import Price as Line"})
        == []
    )


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    from shop.price import Price\nexcept ImportError:\n    from lists.price import Price",
        "def f():\n    from shop.price import Price\ndef g():\n    from lists.price import Price",
        "from shop.price import Price\ndef g():\n    from lists.price import Price",
    ],
)
def test_alternatives_and_imports_of_functions_hide_nothing(text: str) -> None:
    """Only one of two alternatives is taken, and what a function imports is its own."""
    assert told({"shop/price.py": PRICE, "lists/price.py": OTHER, "both.py": text}) == []


def test_a_module_of_the_name_is_no_class_of_it() -> None:
    """``from helpers import condition, price`` takes two modules, whatever the first one defines."""
    files = {
        "helpers/__init__.py": "",
        "helpers/condition.py": OTHER.replace("Price", "price"),
        "helpers/price.py": "",
    }
    other = {"lists/price.py": PRICE.replace("Price", "price")}
    assert (
        told({
            **files,
            **other,
            "a.py": "from helpers import condition, price\nfrom lists.price import price as p",
        })
        == []
    )


@pytest.mark.parametrize(
    "files",
    [
        {"tests/test_a.py": PRICE, "shop/price.py": PRICE},
        {"shop/migrations/one.py": PRICE, "shop/price.py": PRICE},
        {f"plug{number}/price.py": PRICE for number in range(9)},
        {"back/a/base.py": PRICE, "back/b/base.py": PRICE},
        {f"back/{name}.py": PRICE.replace("Price:", "Price(Base):") for name in "abc"},
        {"shop/price.py": PRICE, "stock/price.py": "from shop import price\n" + PRICE.replace("Price:", "Price(price.Price):")},
        {"shop/price.py": PRICE, "stock/price.py": "from shop.price import Price as P\n" + PRICE.replace("Price:", "Price(P):")},
        {"shop/price.py": PRICE, "stock/price.py": "try:\n    from far import Price\nexcept ImportError:" + PRICE.replace("\n", "\n    ")},
        {"shop/price.py": PRICE, "stock/price.py": "try:\n    from far import *\nexcept ImportError:" + PRICE.replace("\n", "\n    ")},
        {"shop/price.py": PRICE, "stock/price.py": PRICE.replace("Price:", "Price(Protocol):")},
    ],
    ids=["test", "migration", "convention", "plug-ins", "side by side", "extended", "extended by alias", "stand-in", "stand-in for all", "protocol"],
)  # fmt: skip
def test_what_is_alike_on_purpose_is_left_out(files: dict[str, str]) -> None:
    """Conventions, plug-ins, extensions and stand-ins are no accidents."""
    assert told(files) == []


def test_enumerations_of_one_name_are_low_at_most() -> None:
    """Equal ones are worth a note, different ones are two things."""
    colour = "import enum\nclass Colour(enum.Enum):\n    RED = 1\n    BLUE = 2\n    GREEN = 3\n    GREY = 4\n"
    other = (
        colour.replace("RED", "OPEN").replace("BLUE", "DONE").replace("GREEN", "LATE").replace("GREY", "GONE")
    )
    assert one({"shop/a.py": colour, "stock/b.py": colour}).severity is Severity.LOW
    assert told({"shop/a.py": colour, "stock/b.py": other}) == []


def test_two_modules_with_several_common_classes_are_one_finding() -> None:
    """The pair is told once and urgently; less so where one of them imports the other."""
    both = PRICE + PRICE.replace("Price", "Offer")
    found = one({"shop/price.py": both, "stock/goods.py": both, "a.py": "import shop.price"})
    assert (found.kind, found.severity) == (Kind.TWIN_MODULES, Severity.HIGH)
    assert "Offer and Price" in found.message
    assert "take those of shop/price.py" in found.remedy
    assert (
        one({"shop/price.py": both, "stock/goods.py": "import shop.price\n" + both}).severity
        is Severity.MEDIUM
    )


def test_three_twins_are_told_together_and_what_is_hidden_is_told_besides() -> None:
    """One task for all three; a name that hides another stays a finding of its own."""
    both = PRICE + PRICE.replace("Price", "Offer")
    files = {"shop/price.py": both, "stock/goods.py": both, "car/cost.py": both}
    found = one(files)
    assert "car/cost.py, shop/price.py and stock/goods.py all define Offer and Price" in found.message
    hiding = {**files, "both.py": "from shop.price import Price\nfrom car.cost import Price"}
    assert [(one.kind, one.severity) for one in told(hiding)] == [
        (Kind.TWIN_MODULES, Severity.HIGH),
        (Kind.DUPLICATE_CLASS, Severity.HIGH),
    ]


def test_families_that_tell_each_other_apart_are_left_alone() -> None:
    """``forms.Price`` says which one is meant."""
    both = PRICE + PRICE.replace("Price", "Offer")
    files = {"forms/__init__.py": "from forms.price import Price, Offer", "forms/price.py": both}
    knowing = "import forms\n" + both + "def made():\n    return forms.Price(1), forms.Offer(1)\n"
    assert one({**files, "models/field.py": both}).severity is Severity.HIGH
    assert one({**files, "models/field.py": knowing}).severity is Severity.LOW


def test_a_function_written_again_and_again_is_found() -> None:
    """Four of a speaking name count even if they differ; a package is kept before scripts and hidden files."""
    files = {
        path: PARSE.format(doc=path) for path in (".agent/stop.py", "scripts/load.py", "shop/progress.py")
    }
    found = one(files)
    assert (found.kind, found.severity) == (Kind.DUPLICATE_FUNCTION, Severity.LOW)
    assert found.remedy.startswith("Keep parse_progress_file of shop/progress.py")
    assert one({**files, "stock/goods.py": PARSE.format(doc="")}).severity is Severity.MEDIUM


def test_entry_points_and_small_functions_are_nobodys_copies() -> None:
    """Every script has a main, and what takes two lines is written faster than imported."""
    small = "def total_of_all(x):\n    return sum(x)\n"
    main = PARSE.format(doc="").replace("parse_progress_file", "main")
    assert told({"a/one.py": main, "b/two.py": main}) == []
    assert told({"a/one.py": small, "b/two.py": small}) == []


def test_an_id_follows_definitions_and_not_lines() -> None:
    """Moved within its file it is the same finding; with a third place it is another one."""
    files = {"shop/price.py": PRICE, "stock/price.py": PRICE}
    first = one(files)
    assert one({**files, "shop/price.py": "import os\n\n\n" + PRICE}).id == first.id
    assert one({**files, "car/cost.py": PRICE}).id != first.id
