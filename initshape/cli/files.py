"""Files that a command reads or writes: what fails is bad input, told in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from initshape.cli.exits import Exit, complain


def read_or_complain(read: Callable[[], Any]) -> Any:
    """What `read` brings; a file that cannot be read is bad input."""
    try:
        return read()
    except OSError as error:
        complain(f"{error.filename} cannot be read: {error.strerror or error}.")
        raise typer.Exit(Exit.bad_input) from None


def write_or_complain(path: Path, content: bytes) -> None:
    """Writes a file; one that cannot be written is bad input."""
    try:
        path.write_bytes(content)
    except OSError as error:
        complain(f"{path} cannot be written: {error.strerror or error}.")
        raise typer.Exit(Exit.bad_input) from None
