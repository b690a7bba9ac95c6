"""Make demo.svg, the picture in the README, from what `pucs demo` really prints: `./run install && .venv/bin/python docs/images/record.py`."""  # noqa: INP001 - a program

import errno
import html
import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

WIDTH = 118
"""Columns of the picture; longer lines are cut with an ellipsis."""
CELL_PX = 12.2
"""Width of a character in rich's pictures."""
THEME = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [
        (22, 27, 34),
        (255, 123, 114),
        (86, 211, 100),
        (227, 179, 65),
        (121, 192, 255),
        (210, 168, 255),
        (86, 212, 221),
        (201, 209, 217),
    ],
)
"""Light on dark with enough contrast on either kind of page."""
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def recorded(command: list[str]) -> str:
    """Run a command on a terminal of its own and return everything it printed, colours included.

    Raises:
        SystemExit: the command failed; a failed demo is no picture.
    """
    controller, terminal = pty.openpty()
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    printed = bytearray()
    while True:
        try:
            chunk = os.read(controller, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # EIO: the last one who could write is gone
                raise
            break
        if not chunk:
            break
        printed += chunk
    os.close(controller)
    if process.wait() != 0:
        raise SystemExit(printed.decode())
    return printed.decode().replace("\r\n", "\n")


def drawn(text: str, title: str) -> str:
    """Return an SVG of a terminal with this text."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for line in Text.from_ansi(text.rstrip("\n")).split("\n", allow_blank=True):
        console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
    svg = console.export_svg(title=title, theme=THEME, unique_id="pucs")
    # A picture on a page may not fetch fonts: what the reader's machine has will do.
    start, end = svg.index("@font-face"), svg.index(".pucs-matrix")
    svg = (svg[:start] + svg[end:]).replace("Fira Code, monospace", FONT)
    return re.sub(
        r'x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"([^>]*)>((?:&#160;)*)([^<]*?)(?:&#160;)*<',
        placed,
        svg,
    )


def placed(found: re.Match[str]) -> str:
    """Return a piece of text without spaces at its ends, moved to where it stood: some renderers drop such spaces."""
    left_px = float(found[1]) + len(found[5]) // len("&#160;") * CELL_PX
    width_px = cell_len(html.unescape(found[6])) * CELL_PX
    return f'x="{left_px:g}" y="{found[2]}" textLength="{width_px:g}"{found[4]}>{found[6]}<'


if __name__ == "__main__":
    output = recorded([sys.executable, "-m", "pucs", "demo"])
    picture = drawn(f"\x1b[1;32m$\x1b[0m \x1b[1m./run demo\x1b[0m\n{output}", "PUCS")
    Path(__file__).with_name("demo.svg").write_text(picture, encoding="utf-8")
