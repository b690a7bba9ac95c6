"""Eight files of the kinds that agents work on at once, and what agents add to such files."""

SERVICE = '''"""Routes of the order service.

Each answers with JSON. Errors carry a code.
"""

import logging
import time
import uuid
from http import HTTPStatus
from shop.app import app, request
from shop.storage import find, save

PAGE_SIZE = 50
TIMEOUT_S = 30
CURRENCY = "EUR"

LIMITS = {
    "orders": 100,
    "carts": 20,
}


def problem(code, text):
    """Return an error. The code is for programs."""
    logging.warning("problem %s", code)
    body = {"code": code, "text": text}
    return body, HTTPStatus.BAD_REQUEST


@app.route("/orders")
def list_orders(page=1, size=PAGE_SIZE):
    """Return one page of orders.

    Pages begin with 1.
    Newest orders come first.
    """
    first = (page - 1) * size
    rows = find("orders", offset=first, limit=size)
    logging.info("listed %d orders", len(rows))
    return {"orders": rows, "page": page}


@app.route("/orders/new")
def create_order(customer, items):
    """Create an order.

    Items may not be empty.
    The order is open at first.
    """
    if not items:
        return problem("empty", "an order needs items")
    key = str(uuid.uuid4())
    total = sum(item["price"] for item in items)
    order = {"key": key, "customer": customer, "total": total}
    save("orders", key, order)
    return order


@app.route("/orders/cancel")
def cancel_order(key, reason=""):
    """Cancel an order.

    A shipped order stays.
    The reason is kept.
    """
    order = find("orders", key=key)
    if order["state"] == "shipped":
        return problem("shipped", "too late to cancel")
    order["state"] = "cancelled"
    order["reason"] = reason
    save("orders", key, order)
    return order


@app.route("/health")
def health():
    """Tell whether the service works. Asked every 10 seconds."""
    state = "up"
    age = request.uptime()
    return {"state": state, "age": age}
'''

MODELS = '''"""What the shop keeps."""

import enum
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_UP, Decimal

RATE = Decimal("0.19")
OVERDUE_DAYS = 14
ROUNDING = 2


class State(enum.Enum):
    """Where an order is."""

    OPEN = "open"
    PAID = "paid"
    SHIPPED = "shipped"


@dataclass
class Customer:
    """Who buys."""

    name: str
    email: str
    active: bool = True

    def label(self, width=20):
        """Return the name for a label. Long names are cut."""
        text = self.name.strip()
        if len(text) > width:
            text = text[:width]
        return text.upper()

    def domain(self):
        """Return the domain of the address."""
        head, _, tail = self.email.partition("@")
        if not head:
            return ""
        return tail.lower()


@dataclass
class Invoice:
    """What a customer owes."""

    number: int
    net: Decimal
    issued: date
    state: State = State.OPEN

    def tax(self, rate=RATE):
        """Return the tax.

        Rounded to cents.
        Never negative.
        """
        value = self.net * rate
        return round(max(value, 0), ROUNDING)

    def due(self, days=OVERDUE_DAYS):
        """Return when it is due.

        Counted from the issue.
        Weekends count.
        """
        span = timedelta(days=days)
        when = self.issued + span
        return when

    def overdue(self, today):
        """Tell whether it is overdue."""
        if self.state is State.PAID:
            return False
        late = today - self.due()
        return late.days > 0


def total(invoices, rate=RATE):
    """Return what is owed. With taxes."""
    net = sum(one.net for one in invoices)
    taxes = sum(one.tax(rate) for one in invoices)
    return net + taxes


# Called by the nightly run.
def reminders(invoices, today):
    """Return the invoices to remind of."""
    late = [one for one in invoices if one.overdue(today)]
    late.sort(key=Invoice.due)
    return late[:100]
'''

COMMANDS = '''"""Command line of the backup tool."""

import argparse
import shutil
import sys
from pathlib import Path
from backup.store import Store

__version__ = "1.4.0"

KEEP_DAYS = 30
CHUNK_KB = 64
SUFFIX = ".bak"


def parser():
    """Return the parser. Defaults are for small disks."""
    found = argparse.ArgumentParser(prog="backup")
    found.add_argument("source", type=Path)
    found.add_argument("--keep", type=int, default=KEEP_DAYS)
    found.add_argument("--chunk", type=int, default=CHUNK_KB)
    found.add_argument("--quiet", action="store_true")
    return found


def size_of(path, deep=True):
    """Return the bytes below a path.

    Links are not followed.
    Missing files count nothing.
    """
    total = 0
    for one in path.rglob("*") if deep else path.iterdir():
        if one.is_file():
            total += one.stat().st_size
    return total


def plan(source, keep=KEEP_DAYS):
    """Return what is to be copied.

    Hidden files are left out.
    Directories come first.
    """
    names = sorted(one.name for one in source.iterdir())
    wanted = [name for name in names if not name.startswith(".")]
    print("keeping %d days" % keep)
    print("copying %d files" % len(wanted))
    return wanted


def kind_of(name):
    """Return the kind of a file."""
    if name.endswith(".py"):
        kind = "code"
    elif name.endswith(".md"):
        kind = "text"
    elif name.endswith(".png"):
        kind = "image"
    else:
        kind = "other"
    return kind


def run(arguments):
    """Make a backup."""
    options = parser().parse_args(arguments)
    store = Store(options.source.with_suffix(SUFFIX))
    copied = 0
    for name in plan(options.source, options.keep):
        store.write(name, chunk=options.chunk, retries=3)
        copied += 1
    return copied


def main():
    """Run and tell."""
    count = run(sys.argv[1:])
    print("copied %d" % count)
    return 0
'''

TESTS = '''"""Tests of the cart."""

import json
import pytest
from shop.cart import Cart, Item

PRICE = 250
DISCOUNT = 10
BIG = 10000


@pytest.fixture
def cart():
    """Return a cart with one item."""
    found = Cart("anna")
    found.add(Item("tea", PRICE))
    return found


@pytest.fixture
def empty():
    """Return an empty cart."""
    return Cart("bert")


@pytest.mark.parametrize(
    "count, expected",
    [
        (1, 250),
        (2, 500),
        (3, 750),
    ],
)
def test_total(count, expected):
    """The total counts every piece."""
    found = Cart("carl")
    for _ in range(count):
        found.add(Item("tea", PRICE))
    assert found.total() == expected


def test_an_item_is_added(cart):
    """An item that is added is counted."""
    cart.add(Item("milk", 120))
    assert len(cart) == 2
    assert cart.total() == 370


def test_an_item_is_removed(cart):
    """An item that is removed is gone."""
    cart.remove("tea")
    assert len(cart) == 0
    assert cart.total() == 0


def test_a_cart_is_saved(cart, tmp_path):
    """A cart can be read back."""
    path = tmp_path / "cart.json"
    cart.save(path)
    text = json.loads(path.read_text())
    assert text["owner"] == "anna"
    assert len(text["items"]) == 1


def test_an_empty_cart_is_free(empty):
    """Nothing costs nothing."""
    total = empty.total()
    assert total == 0
'''

SETTINGS = '''"""Settings of the site."""

import copy
import os
from pathlib import Path

VERSION = "2.3.1"

ROOT = Path(__file__).parent
DEBUG = False
PAGE_SIZE = 25
RETRIES = 3
LANGUAGE = "en"

APPS = [
    "accounts",
    "catalog",
    "orders",
]

CACHES = {
    "default": "memory",
    "sessions": "redis",
}

HOSTS = ["localhost", "example.org"]


def flag(name, default=False):
    """Read a switch. Empty counts as off."""
    value = os.environ.get(name, "")
    if not value:
        return default
    return value.lower() in {"1", "yes", "true"}


def number(name, default=0):
    """Read a number.

    Spaces are ignored.
    Empty means the default.
    """
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    return int(value)


def database(name="site", port=5432):
    """Return where the data is.

    The host is this machine.
    A password is asked for.
    """
    host = os.environ.get("DB_HOST", "localhost")
    user = os.environ.get("DB_USER", "site")
    return {"name": name, "host": host, "port": port, "user": user}


def logging_level():
    """Return how much is logged."""
    if flag("VERBOSE"):
        return "DEBUG"
    return "INFO"
'''

PACKAGE = '''"""Tools for texts."""

from texts.parsing import parse, tokens
from texts.search import find, replace
from texts.words import count, stem

__version__ = "0.9.0"

__all__ = [
    "count",
    "find",
    "parse",
    "replace",
    "stem",
    "tokens",
]

FORMATS = ["plain", "html"]
WIDTH = 72
MARKER = "-"


def load(path, encoding="utf-8"):
    """Read a text. Line ends become one."""
    with open(path, encoding=encoding) as file:
        text = file.read()
    return text.replace("\\r\\n", "\\n")


def outline(text, depth=3):
    """Return the headings.

    Deeper ones are left out.
    Order is kept.
    """
    found = []
    for line in text.splitlines():
        level = len(line) - len(line.lstrip("#"))
        if 0 < level <= depth:
            found.append(line[level:].strip())
    return found


def summary(text, width=WIDTH):
    """Return the beginning.

    Cut at a word.
    Three dots at the end.
    """
    words = parse(text)
    size = 0
    for index, word in enumerate(words):
        size += len(word) + 1
        if size > width:
            return " ".join(words[:index]) + "..."
    return " ".join(words)


def rule(width=WIDTH):
    """Return a line."""
    line = MARKER * width
    return line
'''

FUNCTIONS = '''"""Small functions on numbers and texts."""

import math
import re
from collections import Counter, deque

EPSILON = 1e-9
LIMIT = 1000
BASE = 10


def mean(values, default=0.0):
    """Return the mean.

    Empty values have the default.
    Weights are equal.
    """
    if not values:
        return default
    total = sum(values)
    return total / len(values)


def spread(values):
    """Return the standard deviation. Of the whole, not of a sample."""
    middle = mean(values)
    squares = [(one - middle) ** 2 for one in values]
    variance = sum(squares) / len(squares)
    return math.sqrt(variance)


# Used by the report.
def slug(text, limit=40):
    """Return a name for an address.

    Only letters and digits.
    Dashes between words.
    """
    lowered = text.lower()
    cleaned = re.sub(r"[^a-z0-9]+", "-", lowered)
    trimmed = cleaned.strip("-")
    return trimmed[:limit]


def common(texts, count=5):
    """Return the most common words."""
    found = Counter()
    for text in texts:
        words = text.split()
        found.update(words)
    return [word for word, _ in found.most_common(count)]


def grade(points):
    """Return a mark."""
    if points > 90:
        mark = "A"
    elif points > 75:
        mark = "B"
    elif points > 60:
        mark = "C"
    else:
        mark = "D"
    return mark


def report(values, texts):
    """Return a report."""
    lines = ["mean %.2f" % mean(values)]
    lines.append("spread %.2f" % spread(values))
    words = ", ".join(common(texts))
    lines.append("words %s" % words)
    return "\\n".join(lines)
'''

CLIENT = '''"""Client of the weather service."""

import json
import time
from urllib.request import Request, urlopen

ADDRESS = "https://weather.example/api"
TIMEOUT_S = 10
RETRIES = 2


class WeatherError(Exception):
    """The service refused."""


class Client:
    """Asks the service."""

    agent = "weather-client"
    version = 1

    def __init__(self, key, timeout=TIMEOUT_S):
        """Keep the key. No request is made."""
        self.key = key
        self.timeout = timeout
        self.calls = 0

    def get(self, path, retries=RETRIES):
        """Return an answer.

        Repeated when the network fails.
        Refusals are not repeated.
        """
        request = Request(ADDRESS + path, headers={"key": self.key})
        self.calls += 1
        with urlopen(request, timeout=self.timeout) as answer:
            text = answer.read()
        return json.loads(text)

    def current(self, city):
        """Return the weather now.

        Degrees are Celsius.
        Wind is in metres per second.
        """
        answer = self.get("/current/" + city)
        degrees = answer["temp"] - 273
        wind = answer["wind"]
        return {"degrees": degrees, "wind": wind}

    def forecast(self, city, days=3):
        """Return the weather to come.

        One entry a day.
        Today is left out.
        """
        answer = self.get("/forecast/" + city)
        found = answer["days"]
        entries = [one["temp"] - 273 for one in found]
        return entries[1 : days + 1]

    def wait(self, seconds=1):
        """Wait a little."""
        until = time.time() + seconds
        self.clock.wait(seconds)
        return until


def average(client, cities):
    """Return the mean of some cities. Now."""
    values = [client.current(city)["degrees"] for city in cities]
    total = sum(values)
    return total / len(values)


def warmest(client, cities):
    """Return the warmest city."""
    best = max(cities, key=client.current)
    print("warmest is %s" % best)
    return best
'''

FILES = {
    "service.py": SERVICE,
    "models.py": MODELS,
    "commands.py": COMMANDS,
    "test_cart.py": TESTS,
    "settings.py": SETTINGS,
    "__init__.py": PACKAGE,
    "functions.py": FUNCTIONS,
    "client.py": CLIENT,
}
"""By name."""

ADDITIONS = (
    '''def chunks(values, size=10):
    """Yield pieces of a list."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
''',
    '''def clamp(value, low=0, high=100):
    """Return a value within limits."""
    if value < low:
        return low
    if value > high:
        return high
    return value
''',
    '''def first(values, default=None):
    """Return the first value."""
    for value in values:
        return value
    return default
''',
    '''def last(values, default=None):
    """Return the last value."""
    for value in reversed(values):
        return value
    return default
''',
    '''def by_key(rows, key="id"):
    """Return rows by their key."""
    found = {}
    for row in rows:
        found[row[key]] = row
    return found
''',
    '''def grouped(rows, key="kind"):
    """Return rows by what they share."""
    found = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found
''',
    '''def percent(part, whole):
    """Return a share."""
    if not whole:
        return 0.0
    return 100 * part / whole
''',
    '''def flatten(rows):
    """Return one list of many."""
    found = []
    for row in rows:
        found.extend(row)
    return found
''',
)
"""Functions that need nothing of the file they come into; some resemble each other, as those of agents do."""

METHODS = (
    '''def describe(self, width=40):
    """Return a short text."""
    text = str(self)
    return text[:width]
''',
    '''def as_dict(self):
    """Return the fields."""
    found = dict(vars(self))
    return found
''',
    '''def reset(self):
    """Forget what was counted."""
    self.count = 0
    self.changed = False
''',
    '''def same(self, other):
    """Tell whether both are alike."""
    if type(self) is not type(other):
        return False
    return vars(self) == vars(other)
''',
    '''@property
def title(self):
    """Return the name for people."""
    text = type(self).__name__
    return text.lower()
''',
    '''@property
def size(self):
    """Return how many fields there are."""
    found = vars(self)
    return len(found)
''',
)

TEST_FUNCTIONS = (
    '''def test_a_cart_counts_its_items(cart):
    """Every item counts."""
    cart.add(Item("salt", 90))
    assert len(cart) == 2
''',
    '''def test_a_cart_forgets(cart):
    """A cleared cart is empty."""
    cart.clear()
    assert len(cart) == 0
''',
    '''def test_a_big_order_is_cheaper(cart):
    """Much costs less."""
    cart.add(Item("sofa", BIG))
    assert cart.discount() == DISCOUNT
''',
    '''def test_an_unknown_item_is_refused(cart):
    """What is not there cannot be removed."""
    with pytest.raises(KeyError):
        cart.remove("coffee")
''',
)

IMPORTS: tuple[tuple[str, list[str]], ...] = (
    ("functools", []),
    ("itertools", []),
    ("contextlib", []),
    ("string", []),
    ("typing", ["Any"]),
    ("operator", ["itemgetter"]),
    ("fractions", ["Fraction"]),
)
"""What agents import anew."""
