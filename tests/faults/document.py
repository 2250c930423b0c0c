"""docs/reliability.md: the parts between its markers are written by runs only."""

from __future__ import annotations

from pathlib import Path

from benchmarks.machine import machine, sentence
from benchmarks.markdown import replaced

FILE = Path(__file__).parents[2] / "docs" / "reliability.md"


def about(command: str) -> str:
    """Machine, date, load and command, to be asked for before the run."""
    return sentence(machine() | {"command": command})


def write(name: str, text: str) -> None:
    """Replaces one part."""
    FILE.write_text(replaced(FILE.read_text(), name, text))
