"""One contender on one problem, in a process of its own on one core.

python -m benchmarks.child NAME PROBLEM DIARY LIMIT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.clock import Diary, timed
from benchmarks.contenders import named
from benchmarks.cores import pin
from benchmarks.exact import distance, exact_limit, relative_residual
from benchmarks.problem import Floats, Problem
from initshape.numerics_environment import one_core


def main(name: str, document: str, diary_path: str, limit: str) -> None:
    """Writes `missing`, or `ready` (the limit counts from there), `progress` and at last `result`."""
    one_core()
    pin()
    problem, diary, contender = Problem(**json.loads(document)), Diary(Path(diary_path)), named(name)
    if reason := contender.missing():
        diary.write("missing", reason=reason)
        return
    exact = exact_limit(problem)
    ready = contender.prepare(problem)
    diary.write("ready", compile_seconds=ready.compile_seconds)

    def report(steps: int, residual: float, w: Floats | None = None, /) -> None:
        diary.report(steps, residual, lambda: None if w is None else distance(w, exact))

    done = timed(ready, report, float(limit))
    diary.write(
        "result",
        seconds=done.seconds,
        cpu_seconds=done.cpu_seconds,
        spread=done.spread,
        repeats=done.repeats,
        compile_seconds=ready.compile_seconds,
        steps=done.answer.steps,
        reached=done.answer.reached,
        note=done.answer.note,
        work=dict(done.answer.work),
        error=distance(done.answer.w, exact),
        residual=relative_residual(problem, done.answer.w),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
