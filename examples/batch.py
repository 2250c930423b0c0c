"""Submit every YAML file of a directory, wait, collect one CSV: `python examples/batch.py DIRECTORY table.csv`.

Run again it costs nothing: what is known is not computed twice, what failed is tried once more. A file that is refused,
and a job that fails, is a row of the CSV like any other, and makes the exit code 1. The server is the one of this user
on this machine, or INITSHAPE_URL with INITSHAPE_TOKEN; with --local there is none.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from initshape.client import Client, Local, connect, is_sweep
from initshape.client.meter import Meter
from initshape.spec.parse import parse_yaml
from initshape.spec.problem import InitshapeError

COLUMNS = ("file", "id", "status", "outcome", "relative_distance", "population_error", "kkt_residual", "error")
Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("table", type=Path, help="CSV to write")
    parser.add_argument("--local", action="store_true", help="compute here, without a server")
    given = parser.parse_args()
    files = sorted([*given.directory.glob("*.yaml"), *given.directory.glob("*.yml")])
    if not files:
        parser.error(f"{given.directory} has no YAML files")
    with Local() if given.local else connect() as client:
        rows = [row for file, sent in submitted(client, files) for row in collected(client, file, sent)]
    with given.table.open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lost = sum(row["status"] != "succeeded" for row in rows)
    print(f"{len(rows)} rows in {given.table}, {lost} without a result", file=sys.stderr)
    return 1 if lost else 0


def submitted(client: Client | Local, files: list[Path]) -> list[tuple[Path, Row]]:
    """Sends all of them before it waits for any: the workers then have something to choose from."""
    sent = []
    for file in files:
        try:
            document = parse_yaml(file.read_bytes())
            send = client.submit_sweep if isinstance(document, dict) and "sweep" in document else client.submit
            sent.append((file, send(document)))
        except InitshapeError as error:  # a mistake in the file: told, and the others go on
            sent.append((file, {"id": None, "status": "refused", "error": " ".join(str(error).split())}))
    return sent


def collected(client: Client | Local, file: Path, sent: Row) -> Iterator[Row]:
    """The rows of one file: one, or one a cell of a sweep."""
    id = sent["id"]
    if id is None:
        yield {"file": file.name, **sent}
        return
    with Meter(file.name) as meter:
        for state in client.updates(id):
            meter.show(state)
    if is_sweep(id):
        yield from ({"file": file.name, **row} for row in client.table(id).rows)
    elif state["status"] != "succeeded":
        yield {"file": file.name, **state, "error": (state.get("error") or {}).get("detail")}
    else:
        result = client.result(id)
        comparison = next((c for c in result["comparisons"] if c["regularizer"] == "implicit"), {})
        yield {"file": file.name, **(result["flow"] or {}), **comparison, "id": id, "status": state["status"],
               "outcome": result["outcome"]}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
