"""Import contracts that may name a room before it has code.

import-linter refuses a contract that names a missing module, yet the map of rooms is fixed before all of them are
built. These two kinds leave out what is not there yet and otherwise are import-linter's own. A misspelt name would
be left out as well, so `test_imports.py` holds every name against the list of storeys.
"""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.protected import ProtectedContract


def _leave_out_absent(contract: Contract, fields: tuple[str, ...], graph: ImportGraph) -> None:
    """Drop from the fields every plain module name that the graph does not hold."""
    for field in fields:
        named = getattr(contract, field)
        kept = [each for each in named if each.has_wildcard_expression() or each.expression in graph.modules]
        setattr(contract, field, kept)


class RoomsForbidden(ForbiddenContract):
    """Source rooms must not import forbidden ones; rooms without code are left out."""

    type_name = "rooms_forbidden"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 # import-linter's own form
        """Return what import-linter finds among the rooms that exist."""
        _leave_out_absent(self, ("source_modules", "forbidden_modules"), graph)
        return super().check(graph, verbose)


class RoomsProtected(ProtectedContract):
    """Protected modules are imported by the allowed rooms only; rooms without code are left out."""

    type_name = "rooms_protected"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 # import-linter's own form
        """Return what import-linter finds among the modules that exist."""
        _leave_out_absent(self, ("protected_modules", "allowed_importers"), graph)
        return super().check(graph, verbose)
