"""Computing and validating on this machine, without a server."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from initshape.cli import show
from initshape.cli.documents import cell_count, is_sweep_document
from initshape.cli.exits import Exit
from initshape.cli.files import read_or_complain
from initshape.cli.following import show_result

if TYPE_CHECKING:
    from initshape.run import Progress
    from initshape.spec.uploaded import Upload


def run_here(
    document: dict[str, Any], arrays: Path | None, data: Sequence[Path], inits: Sequence[Path], *, as_json: bool
) -> int:
    """The same result as a server's, from this process and its children."""
    from initshape.cli.progress import Bar
    from initshape.client import Local
    from initshape.numerics_environment import one_core
    from initshape.supervisor.place import compilation_cache

    if "jax" not in sys.modules:  # its settings act only before it is loaded
        one_core(compilation_cache=compilation_cache())
    cells = cell_count(document)
    seen: dict[str, float] = {}
    try:
        with Bar("here") as bar:

            def report(id: str, progress: Progress) -> None:
                seen[id] = progress.fraction
                place = f"cell {len(seen)} of {cells}, " if cells > 1 else ""
                bar.update(sum(seen.values()) / cells, f"{place}{progress.stage}")

            local = Local(report)
            for init, files in ((False, data), (True, inits)):
                for file in files:
                    read_or_complain(lambda file=file, init=init: local.upload(file, init=init))  # type: ignore[misc]
            sent = local.submit_sweep(document) if is_sweep_document(document) else local.submit(document)
    except KeyboardInterrupt:
        show.note("\nStopped; nothing is kept of what was computed here. A server keeps it: `initshape submit`.")
        return Exit.detached
    return show_result(local, sent["id"], as_json=as_json, arrays=arrays)


def uploads_of(data: Sequence[Path], inits: Sequence[Path]) -> dict[str, Upload]:
    """The files that a document may name, by their ids."""
    from initshape.uploads.files import read_file

    found: dict[str, Upload] = {}
    for init, files in ((False, data), (True, inits)):
        for file in files:
            upload = read_or_complain(lambda file=file, init=init: read_file(file, init=init))  # type: ignore[misc]
            found[upload.id] = upload
    return found
