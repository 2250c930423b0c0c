"""Following a job to its end, and showing what came of it. Ctrl-C leaves the job alone."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from initshape.cli import show
from initshape.cli.exits import Exit
from initshape.cli.files import write_or_complain

if TYPE_CHECKING:
    from initshape.client import Client, Local


def follow(client: Client, id: str, *, as_json: bool, arrays: Path | None = None) -> int:
    """Progress to the end, then the result."""
    from initshape.cli.progress import Bar

    try:
        with Bar(id) as bar:
            for found in client.updates(id, every=1.0):
                bar.show(found)
    except KeyboardInterrupt:
        show.note(f"\nDetached: the job goes on. Follow it again with `initshape watch {id}`, stop it with `initshape "
                  f"cancel {id}`.")  # fmt: skip
        return Exit.detached
    if found["status"] != "succeeded" and "counts" not in found:
        show.as_json(found) if as_json else show.state(found)
        return Exit.job_failed
    return show_result(client, id, as_json=as_json, arrays=arrays)


def sent(client: Client, state: Any, *, wait: bool, as_json: bool) -> int:
    """What was queued: followed with `wait`, else its state."""
    if wait:
        return follow(client, state["id"], as_json=as_json)
    show.as_json(state) if as_json else show.state(state)
    return Exit.done


def show_result(
    client: Client | Local, id: str, *, as_json: bool, csv: bool = False, arrays: Path | None = None
) -> int:
    """A result, or the table of a sweep. The exit code says whether all converged."""
    from initshape.client import is_sweep

    if arrays is not None:
        import numpy as np

        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **cast(Any, dict(client.arrays(id))))
        write_or_complain(arrays, content.getvalue())
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
