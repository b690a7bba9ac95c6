"""The doors offer the verbs of the one table, and nothing that is not in it."""

import importlib
import inspect
from pathlib import Path

import click
import pytest

from pucs.cli import COMMANDS, cli
from pucs.client import PUCSClient
from pucs.client.http import HTTPClient
from pucs.coordinator.verbs import VERBS, Audience, Verb
from pucs.server.protocol import OFFERS
from pucs.server.remote import METHODS, ORDERS
from pucs.server.remote import VERBS as ROUTES

# Commands that are made of several verbs, or need neither session nor store.
COMPOSED = {
    "analyze",
    "demo",
    "doctor",
    "install",
    "launch-stream",
    "mcp",
    "merge",
    "readiness",
    "report",
    "run",
    "serve",
    "uninstall",
}
# What a client does beside the verbs.
HOUSEKEEPING = {"acting_for", "close", "over_http"}
# What a model is not offered: the raw form of messages, whose parts are tools of their own.
NOT_FOR_MODELS = {"post"}


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.home)
def test_a_verb_has_its_home_and_its_doors(verb: Verb) -> None:
    """The function exists and takes a context; the command and the method it names are there."""
    module, function = verb.home.split(":")
    found = getattr(importlib.import_module(f"pucs.coordinator.{module}"), function)
    assert next(iter(inspect.signature(found).parameters)) == "context"
    if verb.command:
        command: click.Command | None = cli
        for word in verb.command.split():
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), word)
        assert command is not None
    if verb.method:
        assert callable(getattr(PUCSClient, verb.method))


def test_every_command_stands_for_a_verb() -> None:
    """A command is a verb, the noun of some verbs, or made of several."""
    assert set(COMMANDS) - COMPOSED == {verb.command.split()[0] for verb in VERBS if verb.command}


def test_the_client_offers_agents_verbs_and_no_others() -> None:
    """An agent's program finds each agent verb, and nothing that is an operator's."""
    offered = {name for name, _ in inspect.getmembers(PUCSClient, callable) if not name.startswith("_")}
    assert offered - HOUSEKEEPING == {verb.method for verb in VERBS if verb.method}
    assert all(verb.method for verb in VERBS if verb.audience is Audience.AGENT)
    assert not any(verb.method for verb in VERBS if verb.audience is Audience.OPERATOR)


def test_a_server_offers_what_the_client_does_and_orders_for_operators() -> None:
    """Each method of the client is a route; the others are commands of whoever runs the session, and call the same verb."""
    methods = {verb.method for verb in VERBS if verb.method}
    assert set(ROUTES) == methods | set(ORDERS) | {"close"}
    assert set(METHODS) < methods
    lawful = {verb.home for verb in VERBS if verb.audience is Audience.OPERATOR}
    homes = {f"{run.__module__.rpartition('.')[2]}:{run.__name__}" for run in ORDERS.values()}
    assert homes < lawful


def test_what_a_server_does_not_do_for_operators_says_why(project: Path) -> None:
    """Each verb of theirs is an order, or the table and the reference of the server tell why it is not."""
    told = (project / "docs/reference/server.md").read_text(encoding="utf-8")
    orders = {f"{run.__module__.rpartition('.')[2]}:{run.__name__}" for run in ORDERS.values()}
    for verb in VERBS:
        assert bool(verb.here) == (verb.audience is Audience.OPERATOR and verb.home not in orders), verb.home
        assert not verb.here or f"| `pucs {verb.command}` | {verb.effect} | {verb.here} |" in told, verb.home


def test_the_client_over_http_has_every_method_of_its_own() -> None:
    """What it inherited would look for a store in its own process."""
    offered = {name for name, _ in inspect.getmembers(PUCSClient, callable) if not name.startswith("_")}
    assert offered - {"acting_for", "over_http"} <= set(vars(HTTPClient))
    for name in offered - {"acting_for", "over_http"}:
        ours, theirs = (inspect.signature(getattr(one, name)) for one in (HTTPClient, PUCSClient))
        assert ours == theirs, name


def test_models_are_offered_agents_verbs_and_no_others() -> None:
    """Each tool is the client's method of a verb for agents or anybody, and does what that verb does; none is missing."""
    found = [verb for verb in VERBS if verb.audience is not Audience.OPERATOR]
    lawful = {verb.command: verb for verb in found} | {verb.method: verb for verb in found if verb.method}
    tools = {offer.run.__name__ for offer in OFFERS}
    assert tools <= set(lawful)
    assert {verb.method for verb in VERBS if verb.method} - NOT_FOR_MODELS == tools - {"status"}
    reading = {offer.run.__name__ for offer in OFFERS if offer.reads}
    assert reading == {name for name in tools if lawful[name].audience is Audience.ANYONE}
