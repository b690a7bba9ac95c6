"""Reads files of a checkout and tells their facts: in this process, or as the program that ``launch.parsing`` starts.

As a program it gets the list of files in a file, and their numbers, four bytes each, on its standard input. It answers
each with a ``HEADER`` and the packed facts. It ends with its input, also when whoever started it was killed.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import resource
import signal
import stat
import struct
import sys
from typing import Final

import msgspec

from pucs.syntax.packing import packed
from pucs.syntax.reading import READ_BYTES_MAX, facts

CPU_S_MAX: Final = 20.0
"""Processor time for one file: the largest that is parsed takes one or two seconds."""
MEMORY_BYTES_MAX: Final = 2 * 1024**3
"""Address space of the program: the largest file takes a quarter of it."""
HEADER: Final = struct.Struct("<IIB")
"""Number of the file, length of the facts (0: there is no such file), and whether they are those of the blob."""
NUMBER: Final = struct.Struct("<I")
READY: Final = 0xFFFFFFFF
"""Number of the first answer, which says that the program could be loaded."""
HASHED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Largest file whose content is compared with its blob id."""
_CHUNK_BYTES: Final = 1024 * 1024
_FILES_BETWEEN_COLLECTIONS: Final = 1000
_SHA1_DIGITS: Final = 40


class Work(msgspec.Struct, array_like=True):
    """What the program is to do."""

    root: bytes
    files: list[tuple[bytes, str]]
    """Paths with their blob ids."""
    cpu_s_max: float = CPU_S_MAX


def told(root: bytes, path: bytes, blob: str) -> tuple[bytes, bool]:
    """Return the packed facts of a file (empty: it is no regular file, or cannot be read), and whether its content has this blob id."""
    try:
        # A pipe in its place must not keep us waiting, and a symlink not lead us elsewhere.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        handle = os.open(os.path.join(root, path), flags)  # noqa: PTH118 - a name of bytes
    except OSError:
        return b"", False
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return b"", False
        source = _read(handle, READ_BYTES_MAX)
        same = _is_blob(blob, source) if len(source) < READ_BYTES_MAX else _rest_is_blob(blob, source, handle)
    except OSError:
        return b"", False
    finally:
        os.close(handle)
    known = facts(os.fsdecode(path), source)
    return (b"", False) if known is None else (packed(known), same)


def _read(handle: int, size: int) -> bytes:
    parts = []
    while size > 0 and (part := os.read(handle, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _is_blob(blob: str, source: bytes) -> bool:
    if _blob(blob, len(source), source) == blob:
        return True
    # Git may have been told to give lines other ends in the checkout than in the blob.
    plain = source.replace(b"\r\n", b"\n")
    return len(plain) != len(source) and _blob(blob, len(plain), plain) == blob


def _rest_is_blob(blob: str, head: bytes, handle: int) -> bool:
    size = os.fstat(handle).st_size
    if size > HASHED_BYTES_MAX:
        return False
    parts = [head]
    while chunk := os.read(handle, _CHUNK_BYTES):
        parts.append(chunk)
    return _blob(blob, size, *parts) == blob


def _blob(like: str, size: int, *parts: bytes) -> str:
    """Return git's name for a content, by the method that made the name ``like``."""
    digest = hashlib.new("sha1" if len(like) == _SHA1_DIGITS else "sha256", usedforsecurity=False)
    digest.update(b"blob %d\0" % size)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def main(list_file: int) -> None:
    """Answer until the input ends."""
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard == resource.RLIM_INFINITY or hard > MEMORY_BYTES_MAX:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, hard))
    size = os.fstat(list_file).st_size
    work = msgspec.msgpack.decode(os.pread(list_file, size, 0), type=Work)
    gc.disable()  # syntax trees are no circles, and looking for some in them takes longer than making them
    _write(HEADER.pack(READY, 0, 0))
    count = 0
    while len(asked := sys.stdin.buffer.read(NUMBER.size)) == NUMBER.size:
        (number,) = NUMBER.unpack(asked)
        signal.setitimer(signal.ITIMER_PROF, work.cpu_s_max)  # ends the program
        data, lasting = told(work.root, *work.files[number])
        signal.setitimer(signal.ITIMER_PROF, 0)
        _write(HEADER.pack(number, len(data), lasting) + data)
        count += 1
        if not count % _FILES_BETWEEN_COLLECTIONS:
            gc.collect()


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]
