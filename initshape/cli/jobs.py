"""Commands for jobs that a server has: list, edit, preview, cancel, retry, rerun, delete, cite."""

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
    for command in (edit, preview, cancel, retry, rerun, delete, cite):
        app.command()(command)


def list_(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    status: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only those of this user.")] = None,
    name: Annotated[str | None, typer.Option(help="Only those that a submitter calls exactly so.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Only those with this value of a field: init.shape=0.5. May be repeated.")
    ] = None,
    sweeps: Annotated[bool, typer.Option("--sweeps", help="Sweeps, not experiments.")] = False,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Experiments or sweeps, newest first."""
    given: dict[str, Any] = {"limit": limit, "status": status, "tag": tag, "owner": owner, "name": name}
    filters = {label: value for label, value in given.items() if value is not None}
    fields = dict(_field_and_value(text) for text in where or ())
    if sweeps and fields:
        complain("--where is for experiments: the cells of a sweep differ.")
        raise typer.Exit(Exit.bad_input)
    with connected(url, data_dir) as client:
        found = list(client.sweeps(**filters) if sweeps else client.experiments(where=fields, **filters))
    if as_json:
        show.as_json(found)
        return
    names = _SWEEPS if sweeps else _EXPERIMENTS
    rows = [{**job, **job.get("counts", {})} for job in found]
    print(show.grid(names, ([row.get(column) for column in names] for row in rows)))


def edit(
    id: Id,
    name: Annotated[str | None, typer.Option(help="A new name; empty takes it away.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="May be repeated; replaces all tags, empty: none.")] = None,
    notes: Annotated[str | None, typer.Option(help="New notes; empty takes them away.")] = None,
    keep: Annotated[
        bool | None, typer.Option("--keep/--no-keep", help="Keep what was computed for ever, or for 90 days.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Change the labels of an experiment or a sweep of yours, and how long its results are kept."""
    from initshape.client import is_sweep

    given: dict[str, Any] = {
        "name": name or None,
        "tags": [one for one in tag or [] if one],
        "notes": notes or None,
        "kept" if is_sweep(id) else "pinned": keep,
    }
    said = (name is not None, tag is not None, notes is not None, keep is not None)
    changes = {field: value for (field, value), wanted in zip(given.items(), said, strict=True) if wanted}
    with connected(url, data_dir) as client:
        found = client.edit(id, **changes)
    show.as_json(found) if as_json else show.state(found)


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


def retry(
    id: Id,
    failed: Annotated[bool, typer.Option("--failed", help="What it does in any case; scripts may say so.")] = False,
    wait: Wait = False,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
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


def _field_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        complain(f"{text!r} is no filter: write FIELD=VALUE, such as init.shape=0.5.")
        raise typer.Exit(Exit.bad_input)
    return name.strip(), value.strip()


def _tell(answers: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    found = list(answers)
    if as_json:
        show.as_json(found)
        return
    names = ("id", "answer", "status")
    print(show.grid(names, ([answer.get(name) for name in names] for answer in found)))
