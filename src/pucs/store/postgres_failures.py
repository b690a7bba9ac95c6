"""What PostgreSQL reports, in words a person can act on; passwords are in none of them."""

from __future__ import annotations

from psycopg import Error, IntegrityError, InterfaceError, OperationalError, errors

from pucs.core.errors import PucsError, StoreError, Usage

_NEXT = "Nothing was changed."


def clear(error: BaseException, store: str) -> PucsError | None:
    """Return what to raise for a failure of the database, None if it is none of its failures."""
    if isinstance(error, UnicodeEncodeError):
        return Usage(f"{error.object!r} is not valid UTF-8 text.", remedy="Use plain text.")
    if not isinstance(error, Error) or isinstance(error, IntegrityError):
        return None
    for kinds, said, remedy in _WORDS:
        if isinstance(error, kinds):
            return StoreError(f"The store {store} {said} ({_first(error)}). {_NEXT}", remedy=remedy)
    if isinstance(error, errors.DataError):
        number = isinstance(error, errors.NumericValueOutOfRange)
        return Usage(
            f"The store does not take a value: {'a number is out of range' if number else _first(error)}.",
            remedy="Use a smaller one." if number else "Use plain text.",
        )
    if isinstance(error, (OperationalError, InterfaceError)):
        return unreachable(error, store)
    return StoreError(f"The store {store} failed: {_first(error)}. {_NEXT}", remedy="Run: pucs doctor")


def unreachable(error: BaseException, store: str) -> StoreError:
    """Return what to raise where there is no connection: it could not be made, or it was cut."""
    text = _first(error)
    for sign, said, remedy in _SIGNS:
        if sign in text:
            return StoreError(f"The store {store} cannot be reached: {said}. {_NEXT}", remedy=remedy)
    return StoreError(
        f"The store {store} cannot be reached ({text}). {_NEXT}",
        remedy="Check that the server runs and that host, port and TLS options are right; then try again.",
    )


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__


_TABLES = "Let the administrator grant what docs/how-to/use-postgresql.md lists."
_WORDS: tuple[tuple[type[Error] | tuple[type[Error], ...], str, str], ...] = (
    (errors.InsufficientPrivilege, "may not be used by this role", _TABLES),
    ((errors.DiskFull, errors.OutOfMemory), "cannot grow", "Free some space on the server and try again."),
    (
        (errors.ReadOnlySqlTransaction, errors.ObjectNotInPrerequisiteState),
        "cannot be written: this server is a standby or read-only",
        "Name the primary, or several hosts with target_session_attrs=read-write.",
    ),
    (errors.TooManyConnections, "has no connection left", "Raise max_connections, or end idle programs."),
    (
        (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn),
        "is not there, or not whole",
        "Create it with: pucs init",
    ),
    (
        (errors.ProgramLimitExceeded, errors.StatementTooComplex),
        "does not take so long a name",
        "Use shorter paths.",
    ),
)
_SIGNS = (
    (
        "password authentication failed",
        "the server refuses this user or password",
        "Set PGPASSWORD or ~/.pgpass.",
    ),
    (
        "certificate verify failed",
        "its certificate is not signed by whom you trust, so it may be somebody else",
        "Name the authority's certificate with sslrootcert=FILE; ask the administrator which it is.",
    ),
    (
        "server certificate for",
        "its certificate is for another host, so it may be somebody else",
        "Name the host as the certificate does.",
    ),
    (
        "root certificate file",
        "there is no certificate to check it by",
        "Name the authority's certificate with sslrootcert=FILE, or sslrootcert=system.",
    ),
    ("server does not support SSL", "it speaks no TLS", "Set ssl=on on the server."),
    ("no password supplied", "the server wants a password", "Set PGPASSWORD or ~/.pgpass."),
    ("does not exist", "the server knows no such database or role", "Check the URL, or create it."),
    ("no pg_hba.conf entry", "the server lets this user not in from here", "Change pg_hba.conf, or use TLS."),
    (
        "too many clients",
        "it has no connection left",
        "Raise max_connections on the server, or end idle programs.",
    ),
    (
        "remaining connection slots",
        "it has no connection left",
        "Raise max_connections on the server, or end idle programs.",
    ),
    (
        "too many connections",
        "its role or database has no connection left",
        "Raise CONNECTION LIMIT, or end idle programs.",
    ),
    ("the database system is", "the server starts, stops or recovers", "Try again in a moment."),
)
