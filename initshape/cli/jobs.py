"""Commands for jobs that a server has: list, preview, cancel, retry, rerun, delete, cite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initshape.cli import show
from initshape.cli.exits import Exit, complain
from initshape.cli.following import sent
from initshape.cli.options import DataDir, File, Force, Id, Ids, Json, Url, Wait, connected

if TYPE_CHECKING:
    from initshape.client import Client

_EXPERIMENTS = ("id", "status", "outcome", "attempt", "owner", "name")
_SWEEPS = ("id", "status", "cells", "succeeded", "failed", "owner", "name")


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command("list")(list_)
    for command in (preview, cancel, retry, rerun, delete, cite):
        app.command()(command)


def list_(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    status: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Only those with this field: owner=ada, init.shape=0.5 ...")
    ] = None,
    sweeps: Annotated[bool, typer.Option("--sweeps", help="Sweeps, not experiments.")] = False,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Experiments or sweeps, newest first."""
    filters = {name: value for name, value in (("status", status), ("tag", tag)) if value is not None}
    filters |= _conditions(where or ())
    if sweeps and filters:
        complain("--sweeps lists all sweeps: filters are for experiments.")
        raise typer.Exit(Exit.bad_input)
    with connected(url, data_dir) as client:
        found = list(client.sweeps(limit=limit) if sweeps else client.experiments(limit=limit, **filters))
    if as_json:
        show.as_json(found)
        return
    names = _SWEEPS if sweeps else _EXPERIMENTS
    rows = [{**job, **job.get("counts", {})} for job in found]
    print(show.grid(names, ([row.get(name) for name in names] for row in rows)))


def preview(file: File, as_json: Json = False, url: Url = None, data_dir: DataDir = None) -> None:
    """What a sweep would do: its cells, how many are known, an estimate. Computes nothing."""
    from initshape.cli.documents import read_document

    document = read_document(file)
    with connected(url, data_dir) as client:
        found = client.preview(document)
    show.as_json(found) if as_json else show.previewed(found)


def cancel(ids: Ids, force: Force = False, as_json: Json = False, url: Url = None, data_dir: DataDir = None) -> None:
    """Stop experiments or sweeps; those that others want, too, go on for them."""
    with connected(url, data_dir) as client:
        _tell((client.cancel(id, force=force) for id in ids), as_json=as_json)


def delete(ids: Ids, force: Force = False, as_json: Json = False, url: Url = None, data_dir: DataDir = None) -> None:
    """Delete experiments with their results; those that others want, too, stay for them."""
    with connected(url, data_dir) as client:
        _tell((client.delete(id, force=force) for id in ids), as_json=as_json)


def retry(id: Id, wait: Wait = False, as_json: Json = False, url: Url = None, data_dir: DataDir = None) -> None:
    """Compute again what failed or was cancelled, and nothing else."""
    with connected(url, data_dir) as client:
        raise typer.Exit(sent(client, _retried(client, id), wait=wait, as_json=as_json))


def rerun(id: Id, wait: Wait = False, as_json: Json = False, url: Url = None, data_dir: DataDir = None) -> None:
    """Compute an experiment again; the old result stays until the new one is there."""
    with connected(url, data_dir) as client:
        raise typer.Exit(sent(client, client.rerun(id), wait=wait, as_json=as_json))


def cite(id: Id, as_json: Json = False, url: Url = None, data_dir: DataDir = None) -> None:
    """BibTeX of the papers behind a result."""
    with connected(url, data_dir) as client:
        citations = client.result(id)["citations"]
    show.as_json(citations) if as_json else print("\n\n".join(citations))


def _retried(client: Client, id: str) -> Any:
    from initshape.client import is_sweep

    if is_sweep(id):
        return client.retry(id)
    found = client.status(id)
    return client.rerun(id) if found["status"] in ("failed", "cancelled") else found


def _conditions(where: Iterable[str]) -> dict[str, str]:
    found = {}
    for text in where:
        name, equals, value = text.partition("=")
        if not equals or not name:
            complain(f"--where {text}: write FIELD=VALUE.")
            raise typer.Exit(Exit.bad_input)
        found[name] = value
    return found


def _tell(answers: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    found = list(answers)
    if as_json:
        show.as_json(found)
        return
    names = ("id", "answer", "status")
    print(show.grid(names, ([answer.get(name) for name in names] for answer in found)))
