"""Arguments and options that commands share, and the client that they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from initshape.client import Client

File = Annotated[Path, typer.Argument(help="YAML or JSON submission; - is standard input.", show_default=False)]
Id = Annotated[str, typer.Argument(help="x-... of an experiment or s-... of a sweep.", show_default=False)]
Ids = Annotated[list[str], typer.Argument(help="x-... of experiments, s-... of sweeps.", show_default=False)]
Url = Annotated[str | None, typer.Option(help="Server; default INITSHAPE_URL, else the one of the data directory.")]
DataDir = Annotated[Path | None, typer.Option(help="Data directory of a server on this machine.")]
RedisUrl = Annotated[
    str | None, typer.Option(envvar="INITSHAPE_REDIS_URL", help="A Redis; default that of the data directory.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for scripts.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow it to its end and show the result.")]
Force = Annotated[bool, typer.Option("--force", help="Also for others who want it (admins).")]
Data = Annotated[list[Path] | None, typer.Option("--data", help=".npz or .csv of a data set that the file names.")]
Inits = Annotated[list[Path] | None, typer.Option("--init", help=".npz of an initialization that the file names.")]


def connected(url: str | None, data_dir: Path | None) -> Client:
    """A client of the server at hand."""
    from initshape.client import connect

    return connect(url, data_dir=data_dir, patience=3.0)
