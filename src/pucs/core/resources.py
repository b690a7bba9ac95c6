r"""Resource names and the one overlap predicate that leases, queue, boundaries and tasks share (DESIGN §2).

A resource is a string in canonical form: ``path/to/file.py``, ``path/to/dir/``, ``path/to/file.py::Class.method``,
``/`` for every path, ``res:NAME`` for a named resource. Paths are relative to the root of the caller's worktree,
``/``-separated, without ``.`` or ``..``. In a real path ``::`` is escaped, so that a symbol can always be told from a
file name: ``a::b`` is written ``a:\:b``, a backslash is doubled, and a colon that ends a file name is written ``\072``,
so that a symbol after it cannot be misread. Control characters and bytes outside UTF-8 are written as git quotes them,
``\377``; so every resource is plain text that can be stored, printed and sent, and ``file_path`` gives back the real
name, with surrogate escapes. A file and a directory of one name are two resources that do not overlap: which of the two
a name is, is told at the door.

This module never looks at a disk: symlinks and the question whether a name is a directory are answered at the door.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NewType

from pucs.core.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

Resource = NewType("Resource", str)
"""A canonical resource name."""

ROOT = Resource("/")
"""Every path of the repository."""
NAMED_PREFIX = "res:"
"""Prefix of resources that are not paths (ports, databases, build slots)."""
RESOURCE_BYTES_MAX = 4096
"""Longest accepted name: Linux PATH_MAX; a longer one cannot be a path."""
_SYMBOL = "::"
_SECOND_COLON = re.compile("(?<=:):")
_LAST_COLON = "\\072"
_UNPRINTABLE = re.compile("[\\x00-\\x1f\\x7f\\udc80-\\udcff]")
_ESCAPED = re.compile(r"((?:\\[0-3][0-7]{2})+)|\\(.)", re.DOTALL)


def path_resource(path: str, *, directory: bool = False) -> Resource:
    """Return the canonical resource of a relative path.

    Raises:
        Usage: the path is empty, absolute, too long, contains NUL or leaves the repository.
    """
    if "\0" in path or not path:
        raise Usage(f"{path!r} is not a path.", remedy="Name a file or directory inside the repository.")
    if path.startswith("/"):
        raise Usage(f"{path!r} is not relative to the repository.", remedy="Leave out the leading slash.")
    path, size_bytes = _one_spelling(path)
    parts: list[str] = []
    part = ""
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not parts:
                raise Usage(f"{path!r} is outside the repository.", remedy="Name a path inside it.")
            parts.pop()
            continue
        parts.append(part)
    if size_bytes > RESOURCE_BYTES_MAX:
        raise Usage(
            f"A path of {len(path)} characters is too long.", remedy=f"At most {RESOURCE_BYTES_MAX} bytes."
        )
    if not parts:
        return ROOT
    name = "/".join(parts)
    if directory or part in {"", ".", ".."}:
        return Resource(_escape(name) + "/")
    return Resource(_escape(name[:-1]) + _LAST_COLON if name.endswith(":") else _escape(name))


def parse(text: str) -> Resource:
    """Return the canonical form of a resource as a person writes it, symbols and named resources included.

    Raises:
        Usage: the text is not a resource.
    """
    if text == "/":
        return ROOT
    if text.startswith(NAMED_PREFIX):
        name = text[len(NAMED_PREFIX) :]
        if not name or " " in name or not name.isprintable() or len(name.encode()) > RESOURCE_BYTES_MAX:
            raise Usage(
                f"{text!r} is not a named resource.", remedy="Write res:NAME, for example res:port/8080."
            )
        return Resource(text)
    path, separator, symbol = text.partition(_SYMBOL)
    if not separator:
        return path_resource(_unescape(path))
    file = path_resource(_unescape(path))
    if is_directory(file) or not all(part.isidentifier() for part in symbol.split(".")):
        raise Usage(f"{text!r} names no symbol.", remedy="Write path/to/file.py::Class.method.")
    return Resource(f"{file}{_SYMBOL}{symbol}")


def is_directory(resource: str) -> bool:
    """Tell whether the resource is a directory (or the root)."""
    return resource.endswith("/") and not is_named(resource)


def is_named(resource: str) -> bool:
    """Tell whether the resource is a named one rather than a path."""
    return resource.startswith(NAMED_PREFIX)


def is_symbol(resource: str) -> bool:
    """Tell whether the resource is a definition inside a file."""
    return _SYMBOL in resource and not is_named(resource)


def file_path(resource: str) -> str:
    """Return the real path a path resource stands for, without symbol, escapes or trailing slash."""
    return _unescape(resource.partition(_SYMBOL)[0]).rstrip("/")


def file_resource(resource: str) -> Resource:
    """Return the file a symbol is in; any other resource is returned as it is."""
    return Resource(resource.partition(_SYMBOL)[0] if is_symbol(resource) else resource)


def symbol_name(resource: str) -> str:
    """Return the qualified name of a symbol inside its file, empty for any other resource."""
    return resource.partition(_SYMBOL)[2] if is_symbol(resource) else ""


def ancestors(resource: str) -> Iterator[Resource]:
    """Yield every resource that contains this one, from the root downwards, without itself."""
    if is_named(resource) or resource == ROOT:
        return
    yield ROOT
    path, separator, symbol = resource.partition(_SYMBOL)
    at = path.find("/")
    while at != -1 and at < len(path) - 1:
        yield Resource(path[: at + 1])
        at = path.find("/", at + 1)
    if separator:
        yield Resource(path)
        at = symbol.find(".")
        while at != -1:
            yield Resource(f"{path}{_SYMBOL}{symbol[:at]}")
            at = symbol.find(".", at + 1)


def contains(outer: str, inner: str) -> bool:
    """Tell whether ``outer`` is ``inner`` or an ancestor of it."""
    if outer == inner:
        return True
    if is_named(outer) or is_named(inner):
        return False
    if outer == ROOT:
        return True
    if outer.endswith("/"):
        return inner.startswith(outer)
    return inner.startswith(outer + ("." if is_symbol(outer) else _SYMBOL))


def overlaps(a: str, b: str) -> bool:
    """Tell whether two resources share anything: equal, or one is an ancestor of the other."""
    return contains(a, b) or contains(b, a)


def descendants_range(resource: str) -> tuple[str, str] | None:
    """Return the half-open string range that holds the descendants and at most the resource itself; None: it has none.

    For the root the range is everything; named resources inside it must be left out by the caller.
    """
    if is_named(resource):
        return None
    if resource == ROOT:
        return "", "\U0010ffff"
    if resource.endswith("/"):
        return resource, resource[:-1] + "0"  # "0" follows "/" in every byte order
    if _SYMBOL in resource:
        return resource + ".", resource + "/"  # "/" follows "."
    return resource + _SYMBOL, resource + ":;"  # ";" follows ":"


def _one_spelling(path: str) -> tuple[str, int]:
    """Return a path as Python decodes its bytes, whatever escapes it was typed with, and how many bytes it has."""
    if path.isascii():
        return path, len(path)
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise Usage(
            f"{path!r} is not a path.", remedy="It holds a character that no file name can."
        ) from error
    return raw.decode("utf-8", "surrogateescape"), len(raw)


def _escape(path: str) -> str:
    escaped = _SECOND_COLON.sub(r"\\:", path.replace("\\", "\\\\"))
    escaped = _UNPRINTABLE.sub(lambda match: f"\\{ord(match[0]) & 0xFF:03o}", escaped)
    return "res\\:" + escaped[len(NAMED_PREFIX) :] if escaped.startswith(NAMED_PREFIX) else escaped


def _unescape(text: str) -> str:
    return _ESCAPED.sub(_original, text) if "\\" in text else text


def _original(match: re.Match[str]) -> str:
    octal, character = match.groups()
    if octal is None:
        return str(character)
    return bytes(int(code, 8) for code in octal[1:].split("\\")).decode("utf-8", "surrogateescape")
