"""Finding and reading the configuration of a repository, for the commands that need the file itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.core.errors import ConfigurationError, EnvironmentFailure
from pucs.streams.boundaries import check_overlaps
from pucs.streams.configuration import FILE_NAMES, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.streams.settings import Configuration

CONFIGURATION_BYTES_MAX = 1024 * 1024
"""Largest configuration file: one of this size was not written by hand."""


def configuration_file(root: str | Path) -> Path | None:
    """Return the configuration file of a checkout, None if there is none."""
    places = (Path(root) / name for name in FILE_NAMES)
    return next((place for place in places if place.is_file()), None)


def read_text(path: Path) -> str:
    """Return the text of a configuration or tasks file.

    Raises:
        ConfigurationError: too large, or not UTF-8.
        EnvironmentFailure: it cannot be read.
    """
    try:
        if path.stat().st_size > CONFIGURATION_BYTES_MAX:
            raise ConfigurationError(
                f"{path} is larger than {CONFIGURATION_BYTES_MAX // 1024} KiB.",
                remedy="Is it the right file?",
            )
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path} is not UTF-8 text (byte {error.start}).", remedy="Save it as UTF-8."
        ) from error
    except FileNotFoundError as error:
        raise ConfigurationError(f"There is no file {path}.", remedy="Check the name.") from error
    except IsADirectoryError as error:
        raise ConfigurationError(f"{path} is a directory.", remedy="Name a file in it.") from error
    except OSError as error:
        raise EnvironmentFailure(
            f"{path} cannot be read: {error.strerror}.", remedy="Check its permissions."
        ) from error


def read_configuration(path: Path, files: Sequence[str] = ()) -> Configuration:
    """Read a configuration and check it against the files of the repository.

    Raises:
        ConfigurationError: something is wrong, or a file belongs to two streams; every problem with file and line.
    """
    configuration = parse(read_text(path), str(path), os.environ)
    overlaps = check_overlaps(configuration, files)
    if overlaps:
        shown = "\n".join(str(overlap) for overlap in overlaps[:10])
        more = f"\n… and {len(overlaps) - 10} more" if len(overlaps) > 10 else ""  # noqa: PLR2004 - a screenful
        raise ConfigurationError(
            f"{len(overlaps)} files belong to two streams:\n{shown}{more}",
            remedy="Narrow one of the patterns.",
        )
    return configuration
