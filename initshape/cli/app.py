"""The commands. Tables go to stdout (JSON with --json), progress and remarks to stderr.

Exit codes: 0 done, 1 job failed, 2 bad input, 3 server unreachable, 4 finished but not converged, 130 detached.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from initshape.cli import jobs, show, token
from initshape.cli.exits import Exit, Group, complain
from initshape.cli.files import read_or_complain, write_or_complain
from initshape.cli.following import follow, sent, show_result
from initshape.cli.here import run_here, uploads_of
from initshape.cli.options import Data, DataDir, File, Id, Inits, Json, RedisUrl, Url, Wait, connected

app = typer.Typer(cls=Group, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(token.app, name="token")


def main() -> None:
    """Entry point of `initshape`."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(int(Exit.detached))


@app.command()
def version(as_json: Json = False) -> None:
    """Version of the package and of its numerics."""
    from importlib import metadata

    from initshape.spec.version import NUMERICS_VERSION

    if as_json:
        show.as_json({"version": metadata.version("initshape"), "numerics_version": NUMERICS_VERSION})
        return
    print(f"initshape {metadata.version('initshape')} (numerics version {NUMERICS_VERSION})")


@app.command()
def validate(file: File, data: Data = None, inits: Inits = None, as_json: Json = False) -> None:
    """Check a file without a server: every problem with a pointer and a hint, or id, estimate and warnings."""
    from initshape.cli.documents import is_sweep_document, read_document
    from initshape.spec.validation import validated, validated_sweep

    document = read_document(file)
    check = validated_sweep if is_sweep_document(document) else validated
    found = check(document, uploads_of(data or (), inits or ()))
    show.as_json(found) if as_json else show.validated(found)


@app.command()
def submit(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="YAML or JSON submissions, or JSON lines (.jsonl); - is standard input.", show_default=False
        ),
    ],
    wait: Wait = False,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Send an experiment or a sweep, or many at once. Sent twice it is one job."""
    from initshape.cli.documents import check, is_lines, is_sweep_document, read_document
    from initshape.cli.many import read_all, submit_all

    if len(files) > 1 or is_lines(files[0]):
        named = read_all(files)
        with connected(url, data_dir) as client:
            raise typer.Exit(submit_all(client, named, wait=wait, as_json=as_json))
    document = read_document(files[0])
    check(document)
    with connected(url, data_dir) as client:
        state = client.submit_sweep(document) if is_sweep_document(document) else client.submit(document)
        raise typer.Exit(sent(client, state, wait=wait, as_json=as_json))


@app.command()
def run(
    file: File,
    local: Annotated[bool, typer.Option("--local", help="Compute on this machine, without a server.")] = False,
    arrays: Annotated[Path | None, typer.Option(help="Write the arrays of an experiment here (.npz).")] = None,
    data: Data = None,
    inits: Inits = None,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Compute a file and show the result: on the server, or on this machine with --local (and --data, --init)."""
    from initshape.cli.documents import check, is_sweep_document, read_document

    document = read_document(file)
    check(document)
    if arrays is not None and is_sweep_document(document):
        complain("--arrays is for experiments: a sweep has a table. Each of its cells has arrays under its own id.")
        raise typer.Exit(Exit.bad_input)
    if local:
        raise typer.Exit(run_here(document, arrays, data or (), inits or (), as_json=as_json))
    with connected(url, data_dir) as client:
        state = client.submit_sweep(document) if is_sweep_document(document) else client.submit(document)
        raise typer.Exit(follow(client, state["id"], as_json=as_json, arrays=arrays))


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

    read_or_complain(lambda: read_file(file, init=init, label=label))  # a mistake is told without a server
    with connected(url, data_dir) as client:
        id = client.upload(file, init=init, label=label)
        show.as_json(client.uploaded(id)) if as_json else print(id)


@app.command()
def status(id: Id, as_json: Json = False, url: Url = None, data_dir: DataDir = None) -> None:
    """State of an experiment or a sweep."""
    with connected(url, data_dir) as client:
        found = client.status(id)
    show.as_json(found) if as_json else show.state(found)


@app.command()
def watch(id: Id, as_json: Json = False, url: Url = None, data_dir: DataDir = None) -> None:
    """Follow an experiment or a sweep to its end, then show the result. Ctrl-C detaches; the job goes on."""
    with connected(url, data_dir) as client:
        raise typer.Exit(follow(client, id, as_json=as_json))


@app.command()
def result(
    id: Id,
    as_json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="The table of a sweep as CSV.")] = False,
    arrays: Annotated[
        Path | None, typer.Option("--arrays", "--npz", help="Write the arrays of an experiment here (.npz).")
    ] = None,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Result of an experiment, or table of a sweep."""
    from initshape.client import is_sweep

    if csv and not is_sweep(id):
        complain("--csv is for sweeps: --json has the whole result, --arrays its arrays.")
        raise typer.Exit(Exit.bad_input)
    if arrays is not None and is_sweep(id):
        complain("--arrays is for experiments: --csv has the table of a sweep.")
        raise typer.Exit(Exit.bad_input)
    with connected(url, data_dir) as client:
        raise typer.Exit(show_result(client, id, as_json=as_json, csv=csv, arrays=arrays))


@app.command()
def figure(
    id: Id,
    kind: Annotated[
        str | None, typer.Argument(help="Of a sweep or an experiment; a wrong one is answered by the list.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write: .png, .svg or .pdf; default ID.png.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Write a figure of an experiment or a sweep to a file."""
    path = output or Path(f"{id}.png")
    form = path.suffix.removeprefix(".").lower()
    if form not in ("png", "svg", "pdf"):
        complain(f"{path}: figures are written as .png, .svg or .pdf.")
        raise typer.Exit(Exit.bad_input)
    with connected(url, data_dir) as client:
        picture = client.figure(id, kind, form)
    write_or_complain(path, picture)
    show.as_json({"id": id, "file": str(path), "bytes": len(picture)}) if as_json else print(path)


jobs.add_to(app)


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

    if any(redis_url and "@" in word and redis_url in word for word in sys.argv):
        complain("Every user of this machine sees a password in --redis-url: use INITSHAPE_REDIS_PASSWORD_FILE.")
        raise typer.Exit(Exit.bad_input)
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
def warm() -> None:
    """Compile the programs of the published figures and of common sizes now, so that no experiment waits for it."""
    from initshape.numerics_environment import one_core
    from initshape.supervisor.place import compilation_cache
    from initshape.warm import likely
    from initshape.warm import warm as compile_all

    one_core(compilation_cache=compilation_cache())
    print(f"{compile_all(likely(), print)} programs in {compilation_cache()}")


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


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _draw(document: dict[str, Any], output: Path) -> None:
    from initshape.figures.render import render
    from initshape.looks import draw

    write_or_complain(output, render(draw(document), output.suffix.removeprefix(".").lower()))
    print(output)
