"""The commands. Tables go to stdout (JSON with --json), progress and remarks to stderr.

Exit codes: 0 done, 1 job failed, 2 bad input, 3 server unreachable, 4 finished but not converged, 130 detached.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from initshape.cli import show, token
from initshape.cli.exits import Exit, Group, complain

if TYPE_CHECKING:
    from initshape.client import Client, Local
    from initshape.run import Progress

app = typer.Typer(cls=Group, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(token.app, name="token")

File = Annotated[Path, typer.Argument(help="YAML or JSON submission; - is standard input.", show_default=False)]
Id = Annotated[str, typer.Argument(help="x-... of an experiment or s-... of a sweep.", show_default=False)]
Url = Annotated[str | None, typer.Option(help="Server; default INITSHAPE_URL, else the one of the data directory.")]
DataDir = Annotated[Path | None, typer.Option(help="Data directory of a server on this machine.")]
RedisUrl = Annotated[
    str | None, typer.Option(envvar="INITSHAPE_REDIS_URL", help="A Redis; default that of the data directory.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for scripts.")]


def main() -> None:
    """Entry point of `initshape`."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(int(Exit.detached))


@app.command()
def version() -> None:
    """Version of the package and of its numerics."""
    from importlib import metadata

    from initshape.spec.version import NUMERICS_VERSION

    print(f"initshape {metadata.version('initshape')} (numerics version {NUMERICS_VERSION})")


@app.command()
def validate(file: File, as_json: Json = False) -> None:
    """Check a file without a server: every problem with a pointer and a hint, or id, estimate and warnings."""
    from initshape.cli.documents import read_document
    from initshape.cli.validation import validation

    found = validation(read_document(file))
    show.as_json(found) if as_json else show.validated(found)


@app.command()
def submit(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="YAML or JSON submissions, or JSON lines (.jsonl); - is standard input.", show_default=False
        ),
    ],
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end and show the result.")] = False,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Send an experiment or a sweep, or many at once. Sent twice it is one job."""
    from initshape.cli.documents import check, is_lines, is_sweep_document, read_document
    from initshape.cli.many import read_all, submit_all

    if len(files) > 1 or is_lines(files[0]):
        named = read_all(files)
        with _connect(url, data_dir) as client:
            raise typer.Exit(submit_all(client, named, wait=wait, as_json=as_json))
    document = read_document(files[0])
    check(document)
    with _connect(url, data_dir) as client:
        sent = client.submit_sweep(document) if is_sweep_document(document) else client.submit(document)
        if wait:
            raise typer.Exit(_follow(client, sent["id"], as_json=as_json))
        show.as_json(sent) if as_json else show.state(sent)


@app.command()
def run(
    file: File,
    local: Annotated[bool, typer.Option("--local", help="Compute on this machine, without a server.")] = False,
    arrays: Annotated[Path | None, typer.Option(help="Write the arrays of an experiment here (.npz).")] = None,
    data: Annotated[list[Path] | None, typer.Option(help="With --local: .npz or .csv of an uploaded data set.")] = None,
    inits: Annotated[
        list[Path] | None, typer.Option("--init", help="With --local: .npz of an uploaded initialization.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Compute a file and show the result: on the server, or on this machine with --local."""
    from initshape.cli.documents import check, is_sweep_document, read_document

    document = read_document(file)
    check(document)
    if local:
        raise typer.Exit(_run_locally(document, arrays, data or [], inits or [], as_json=as_json))
    with _connect(url, data_dir) as client:
        sent = client.submit_sweep(document) if is_sweep_document(document) else client.submit(document)
        raise typer.Exit(_follow(client, sent["id"], as_json=as_json, arrays=arrays))


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(help="A data set, .npz or .csv, or with --init an .npz.", show_default=False)],
    init: Annotated[bool, typer.Option("--init", help="It holds an initialization.")] = False,
    label: Annotated[str | None, typer.Option(help="Column of a CSV that is y; default the last.")] = None,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Send data that are too large for a document, and print their id (kind: uploaded). Sent twice it is one."""
    from initshape.uploads.files import read_file

    _read_or_complain(lambda: read_file(file, init=init, label=label))  # a mistake is told without a server
    with _connect(url, data_dir) as client:
        id = client.upload(file, init=init, label=label)
        show.as_json(client.uploaded(id)) if as_json else print(id)


@app.command()
def status(id: Id, as_json: Json = False, url: Url = None, data_dir: DataDir = None) -> None:
    """State of an experiment or a sweep."""
    with _connect(url, data_dir) as client:
        found = client.status(id)
    show.as_json(found) if as_json else show.state(found)


@app.command()
def watch(id: Id, as_json: Json = False, url: Url = None, data_dir: DataDir = None) -> None:
    """Follow an experiment or a sweep to its end, then show the result. Ctrl-C detaches; the job goes on."""
    with _connect(url, data_dir) as client:
        raise typer.Exit(_follow(client, id, as_json=as_json))


@app.command()
def result(
    id: Id,
    as_json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="The table of a sweep as CSV.")] = False,
    arrays: Annotated[Path | None, typer.Option(help="Write the arrays of an experiment here (.npz).")] = None,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Result of an experiment, or table of a sweep."""
    with _connect(url, data_dir) as client:
        raise typer.Exit(_show_result(client, id, as_json=as_json, csv=csv, arrays=arrays))


@app.command()
def figure(
    id: Id,
    kind: Annotated[
        str | None, typer.Argument(help="Of a sweep or an experiment; a wrong one is answered by the list.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write: .png, .svg or .pdf; default ID.png.")
    ] = None,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Write a figure of an experiment or a sweep to a file."""
    path = output or Path(f"{id}.png")
    form = path.suffix.removeprefix(".").lower()
    if form not in ("png", "svg", "pdf"):
        complain(f"{path}: figures are written as .png, .svg or .pdf.")
        raise typer.Exit(Exit.bad_input)
    with _connect(url, data_dir) as client:
        picture = client.figure(id, kind, form)
    _write(path, picture)
    print(path)


@app.command()
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

    given = {
        "name": name or None,
        "tags": [one for one in tag or [] if one],
        "notes": notes or None,
        "kept" if is_sweep(id) else "pinned": keep,
    }
    said = (name is not None, tag is not None, notes is not None, keep is not None)
    changes = {field: value for (field, value), wanted in zip(given.items(), said, strict=True) if wanted}
    with _connect(url, data_dir) as client:
        found = client.edit(id, **changes)
    show.as_json(found) if as_json else show.state(found)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    status: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only those of this user.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Only those with this value of a field: init.shape=0.5. May be repeated.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Experiments, newest first."""
    given = (("status", status), ("tag", tag), ("owner", owner))
    filters = {name: value for name, value in given if value is not None}
    fields = dict(_field_and_value(text) for text in where or [])
    with _connect(url, data_dir) as client:
        found = list(client.experiments(limit=limit, where=fields, **filters))
    if as_json:
        show.as_json(found)
        return
    names = ("id", "status", "outcome", "attempt", "owner", "name")
    print(show.grid(names, ([job.get(name) for name in names] for job in found)))


@app.command()
def catalog(
    name: Annotated[str | None, typer.Argument(help="A kind or a regularizer; default all of them.")] = None,
    as_json: Json = False,
) -> None:
    """What there is to name in a file: models, data sets, flows, losses, and regularizers with formula and papers."""
    from initshape.catalog import catalog as whole
    from initshape.cli.catalog import about, overview

    found = whole()
    if as_json and name is None:
        show.as_json(found)
        return
    text = overview(found) if name is None else about(found, name)
    if not as_json:
        print(text)
        return
    named = {section: [entry for entry in entries if name in (section, entry.get("kind"), entry.get("name"))]
             for section, entries in found.items() if isinstance(entries, list)}  # fmt: skip
    show.as_json({section: entries for section, entries in named.items() if entries})


@app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help="YAML or JSON: what to evaluate; - is standard input.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw it: .png, .svg or .pdf. Sweeps of Q are drawn only.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at a regularizer: value, gradient, inverse or profile at points or on a grid. Needs no server."""
    from initshape.cli.documents import read_document

    document = read_document(file)
    if output is not None:
        _draw(document, output)
        return
    from initshape.cli.catalog import evaluation
    from initshape.regularizers.evaluate import evaluate as look
    from initshape.regularizers.evaluate import view
    from initshape.spec.parse import parse_evaluation

    found = view(look(parse_evaluation(document)))
    show.as_json(found) if as_json else print(evaluation(found))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    data_dir: DataDir = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; default one a core.")] = None,
    redis_url: Annotated[
        str | None, typer.Option(envvar="INITSHAPE_REDIS_URL", help="A Redis to use; default an embedded one.")
    ] = None,
    auth: Annotated[bool, typer.Option("--auth/--no-auth", help="--no-auth: loopback only, all are admins.")] = True,
) -> None:
    """Run Redis, workers and the API in the foreground until Ctrl-C or SIGTERM."""
    from initshape.supervisor.place import default_data_dir
    from initshape.supervisor.serve import serve as serve_stack
    from initshape.supervisor.stack import Options

    directory = data_dir or default_data_dir()
    raise typer.Exit(serve_stack(Options(directory, host, port, workers or _cores(), redis_url, auth)))


@app.command()
def worker(
    queues: Annotated[str, typer.Option(help="Resource class to serve: cpu or gpu.")] = "cpu",
    name: Annotated[str | None, typer.Option(help="Name of this worker, one on its machine.")] = None,
) -> None:
    """Run one worker of a server elsewhere, reached by INITSHAPE_REDIS_URL."""
    arguments = ["--queue", queues, *(["--name", name] if name else [])]
    os.execv(sys.executable, [sys.executable, "-m", "workers", *arguments])  # noqa: S606 - replaces this process


@app.command()
def backup(
    destination: Annotated[Path, typer.Argument(help="Directory to make.", show_default=False)],
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    as_json: Json = False,
) -> None:
    """Copy everything that a running server holds, at one moment, and read the copy back."""
    from initshape.cli.operating import back_up
    from initshape.supervisor.place import default_data_dir

    raise typer.Exit(back_up(destination, data_dir or default_data_dir(), redis_url, as_json=as_json))


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="Directory that `backup` has made.", show_default=False)],
    data_dir: DataDir = None,
    force: Annotated[bool, typer.Option("--force", help="Move what the data directory holds aside.")] = False,
    as_json: Json = False,
) -> None:
    """Make a data directory from a backup. No server may use it."""
    from initshape.cli.operating import bring_back
    from initshape.supervisor.place import default_data_dir

    raise typer.Exit(bring_back(source, data_dir or default_data_dir(), force=force, as_json=as_json))


@app.command()
def doctor(data_dir: DataDir = None, redis_url: RedisUrl = None, as_json: Json = False) -> None:
    """Say what is wrong here and how to mend it; also without a server. Exit code 1 where something fails."""
    from initshape.cli.operating import examine_all
    from initshape.supervisor.place import default_data_dir

    raise typer.Exit(examine_all(data_dir or default_data_dir(), redis_url, as_json=as_json))


@app.command()
def demo(
    data_dir: Annotated[Path, typer.Option(help="Where the server of the demo keeps its data.")] = Path(
        ".initshape-demo"
    ),
    output: Annotated[Path, typer.Option(help="Where table and figures go.")] = Path("demo-output"),
    sweep: Annotated[Path | None, typer.Option(help="Sweep to send; default the published one.")] = None,
    distance: Annotated[Path | None, typer.Option(help="Experiment for the distance figure.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; default one a core.")] = None,
) -> None:
    """The paper's figure over HTTP: start a server, send the sweep, draw it, stop. Run again, nothing is recomputed."""
    from initshape.demo import Demo

    raise typer.Exit(Demo(data_dir, output, workers or _cores(), sweep, distance).run())


def _field_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        complain(f"{text!r} is no filter: write FIELD=VALUE, such as init.shape=0.5.")
        raise typer.Exit(Exit.bad_input)
    return name.strip(), value.strip()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _connect(url: str | None, data_dir: Path | None) -> Client:
    from initshape.client import connect

    return connect(url, data_dir=data_dir, patience=3.0)


def _follow(client: Client, id: str, *, as_json: bool, arrays: Path | None = None) -> int:
    """Progress to the end, then the result. Ctrl-C leaves the job alone."""
    from initshape.cli.progress import Bar

    try:
        with Bar(id) as bar:
            for found in client.updates(id, every=1.0):
                bar.show(found)
    except KeyboardInterrupt:
        show.note(f"\nDetached: the job goes on. Follow it again with `initshape watch {id}`.")
        return Exit.detached
    if found["status"] != "succeeded" and "counts" not in found:
        show.as_json(found) if as_json else show.state(found)
        return Exit.job_failed
    return _show_result(client, id, as_json=as_json, arrays=arrays)


def _show_result(
    client: Client | Local, id: str, *, as_json: bool, csv: bool = False, arrays: Path | None = None
) -> int:
    from initshape.client import is_sweep

    if arrays is not None:
        import numpy as np

        with arrays.open("wb") as file:
            np.savez(file, allow_pickle=False, **cast(Any, client.arrays(id)))
    if not is_sweep(id):
        document = client.result(id)
        show.as_json(document) if as_json else show.result(document)
        return show.exit_of([document["outcome"]])
    found = client.table(id)
    if csv:
        sys.stdout.buffer.write(client.table_csv(id))
    elif as_json:
        show.as_json({"id": found.id, "axes": found.axes, "columns": found.columns, "rows": found.rows})
    else:
        print(show.table(found.axes, found.rows))
    return show.exit_of((row.get("outcome") for row in found.rows), (row["status"] for row in found.rows))


def _run_locally(
    document: dict[str, Any], arrays: Path | None, data: list[Path], inits: list[Path], *, as_json: bool
) -> int:
    from initshape.cli.documents import cell_count, is_sweep_document
    from initshape.cli.progress import Bar
    from initshape.client import Local
    from initshape.numerics_environment import one_core
    from initshape.supervisor.place import compilation_cache

    if "jax" not in sys.modules:  # its settings act only before it is loaded
        one_core(compilation_cache=compilation_cache())
    cells = cell_count(document)
    seen: dict[str, float] = {}
    with Bar("here") as bar:

        def report(id: str, progress: Progress) -> None:
            seen[id] = progress.fraction
            place = f"cell {len(seen)} of {cells}, " if cells > 1 else ""
            bar.update(sum(seen.values()) / cells, f"{place}{progress.stage}")

        local = Local(report)
        for init, files in ((False, data), (True, inits)):
            for file in files:
                _read_or_complain(partial(local.upload, file, init=init))
        sent = local.submit_sweep(document) if is_sweep_document(document) else local.submit(document)
    return _show_result(local, sent["id"], as_json=as_json, arrays=arrays)


def _draw(document: dict[str, Any], output: Path) -> None:
    from initshape.figures.render import render
    from initshape.looks import draw

    _write(output, render(draw(document), output.suffix.removeprefix(".").lower()))
    print(output)


def _read_or_complain(read: Callable[[], object]) -> None:
    try:
        read()
    except OSError as error:
        complain(f"{error.filename} cannot be read: {error.strerror or error}.")
        raise typer.Exit(Exit.bad_input) from None


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        complain(f"{path} cannot be written: {error.strerror or error}.")
        raise typer.Exit(Exit.bad_input) from None
