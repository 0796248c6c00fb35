"""Draw the README's terminal picture from a real run on the emulated provider.

python docs/picture.py [FILE]      default: docs/terminal.svg
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mask_cli.sandbox.surroundings import inside, surroundings
from mask_cli.sandbox.voximplant import VoximplantSandbox

ROOT = Path(__file__).parent.parent
COLUMNS, LINES = 96, 40
COMMANDS = (
    "mask import sample_data/orders.csv --push --format json",
    "mask add 54321 --courier '+1 415 555 0101' --client '+1 415 555 0102' --ttl 2h",
    "mask list",
    "mask add 54321 --courier '+1 415 555 0103' --client '+1 415 555 0102'",
    "mask delete 20001 20002",
    "mask list --remote",
)
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def run(command: str, variables: dict[str, str]) -> str:
    """Run a command on a terminal of its own; return what it printed, colours included.

    Its conversation (stderr) comes after its answer, without the progress bar of a terminal.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    words = [sys.executable, "-m", "mask_cli", *shlex.split(command)[1:]]
    environment = {**inside(variables), "TERM": "xterm-256color"}
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        environment.pop(name, None)
    process = subprocess.Popen(  # noqa: S603 (our own program)
        words, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment, cwd=ROOT
    )
    os.close(theirs)
    answer = _read(ours)
    os.close(ours)
    _, conversation = process.communicate(timeout=30)
    return (answer + conversation).decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    """Read to the end, which a terminal tells by an error."""
    read = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            return read
        if not part:
            return read
        read += part


def picture() -> str:
    """Run the commands in a sandbox; return the picture as SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    with VoximplantSandbox() as sandbox:
        variables = surroundings(sandbox)
        for command in COMMANDS:
            console.print(Text.assemble(("$ ", "bold cyan"), (command, "bold")))
            console.print(Text.from_ansi(run(command, variables)))
    # The picture asks nobody for a font.
    return _FONT.sub("", console.export_svg(title="mask", unique_id="mask"))


def main() -> None:
    """Write the picture."""
    file = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs" / "terminal.svg"
    file.write_text(picture(), encoding="utf-8")
    print(f"{file}: picture written")


if __name__ == "__main__":
    main()
