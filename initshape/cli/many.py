"""Several files, or a file of JSON lines: sent in few requests, told as one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from initshape.cli import show
from initshape.cli.documents import check, is_lines, is_sweep_document, read_document, read_lines
from initshape.cli.exits import Exit, complain
from initshape.progress import progress_of
from initshape.spec.problem import ProblemError

if TYPE_CHECKING:
    from initshape.client import Client

Named = tuple[str, dict[str, Any]]
Json = dict[str, Any]


def read_all(paths: Iterable[Path]) -> list[Named]:
    """Every document with its place. Errors: SpecError (status 400) for what cannot be parsed: nothing is sent then."""
    found: list[Named] = []
    for path in paths:
        found += [(f"{path}:{n}", one) for n, one in read_lines(path)] if is_lines(path) else [
            (str(path), read_document(path))
        ]  # fmt: skip
    return found


def submit_all(client: Client, named: Sequence[Named], *, wait: bool, as_json: bool) -> int:
    """Sends what is valid, says what is not. Exit code 2 where a document was refused, 1 where a job failed."""
    for _, document in named:
        if is_sweep_document(document):
            check(document)
    single = [(place, document) for place, document in named if not is_sweep_document(document)]
    answers = client.submit_many(document for _, document in single)
    rows: list[Json] = []
    for (place, _), answer in zip(single, answers, strict=True):
        rows.append(
            {"file": place, **(answer["body"] or {"id": None, "status": "refused"}), "problem": answer["problem"]}
        )
        if answer["problem"]:
            problems = [ProblemError.model_validate(error) for error in answer["problem"]["errors"]]
            complain(f"{place}: {answer['problem']['detail']}", problems)
    for place, document in named:
        if is_sweep_document(document):
            rows.append({"file": place, **client.submit_sweep(document), "problem": None})
    detached = wait and not _wait_for(client, [row for row in rows if row["id"] is not None])
    names = ("id", "status", "file")
    show.as_json(rows) if as_json else print(show.grid(names, ([row[name] for name in names] for row in rows)))
    if detached:
        show.note("Detached: the jobs go on. Send the files again with --wait to come back: nothing is computed twice.")
        return Exit.detached
    if any(row["problem"] for row in rows):
        return Exit.bad_input
    return Exit.job_failed if wait and any(row["status"] != "succeeded" for row in rows) else Exit.done


def _wait_for(client: Client, rows: Sequence[Json]) -> bool:
    """Fills in the last status of every job, with one bar for all; False where Ctrl-C came first."""
    from initshape.cli.progress import Bar

    ended: Counter[str] = Counter()
    try:
        with Bar(f"{len(rows)} jobs") as bar:
            for over, row in enumerate(rows):
                for state in client.updates(row["id"]):
                    fraction = (over + progress_of(state)[0]) / len(rows)
                    counts = [f"{count} {status}" for status, count in ended.items()]
                    bar.update(fraction, ", ".join([f"{over} of {len(rows)} ended", *counts]))
                row["status"] = state["status"]
                ended[row["status"]] += 1
            bar.update(1.0, ", ".join(f"{count} {status}" for status, count in ended.items()))
    except KeyboardInterrupt:
        return False
    return True
