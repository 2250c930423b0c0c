"""Contenders one after the other, each in a child process with a limit on its wall-clock time."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.contender import Contender
from benchmarks.problem import Problem

SETUP_LIMIT = 180.0
"""Seconds for imports, data, the exact limit and compilation, before the contender's own limit counts."""
Row = dict[str, Any]


def race(contenders: Iterable[Contender], problem: Problem, limit: float, **fields: Any) -> list[Row]:
    """One row a contender, `fields` in each of them; one that this installation lacks leaves a line and no row."""
    rows = []
    for contender in contenders:
        row = run(contender.name, problem, limit)
        if "missing" in row:
            print(f"  skipped {contender.name}: {row['missing']}", flush=True)
            continue
        print(f"  {contender.name} {label({**fields, 'rtol': f'{problem.rtol:.0e}'})}: {told(row)}", flush=True)
        rows.append({"contender": contender.name, "ours": contender.ours, **fields, **problem.settings(), **row})
    return rows


def run(name: str, problem: Problem, limit: float, setup_limit: float = SETUP_LIMIT) -> Row:
    """The result of one contender, or how far it came: `finished` is False when the limit or an error stopped it."""
    with tempfile.TemporaryDirectory() as folder:
        diary, errors = Path(folder) / "diary", Path(folder) / "errors"
        diary.touch()
        command = [
            sys.executable,
            "-m",
            "benchmarks.child",
            name,
            json.dumps(problem.settings()),
            str(diary),
            str(limit),
        ]
        with errors.open("w") as stderr:
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
            try:
                _wait(child, diary, limit, setup_limit)
            finally:
                child.kill()
                child.wait()
        lines = [json.loads(line) for line in diary.read_text().splitlines() if line.endswith("}")]
        last_words = errors.read_text().strip().splitlines()[-1:]
    return _row({line.pop("kind"): line for line in lines}, limit, child.returncode, last_words)


def _wait(child: subprocess.Popen[bytes], diary: Path, limit: float, setup_limit: float) -> None:
    deadline, counting = time.monotonic() + setup_limit, False
    while child.poll() is None and time.monotonic() < deadline:
        if not counting and '"ready"' in diary.read_text():
            deadline, counting = time.monotonic() + limit, True
        time.sleep(0.02)


def _row(lines: dict[str, Row], limit: float, code: int, last_words: list[str]) -> Row:
    if "missing" in lines:
        return {"missing": lines["missing"]["reason"]}
    if "result" in lines:
        return {"finished": True, **lines["result"]}
    reached = lines.get("progress", {})
    why = f"failed: {last_words[0] if last_words else code}" if code > 0 else f"did not finish in {limit:g} s"
    return {
        "finished": False,
        "seconds": limit,
        "cpu_seconds": None,
        "compile_seconds": lines.get("ready", {}).get("compile_seconds"),
        "steps": reached.get("steps"),
        "residual": reached.get("residual"),
        "error": reached.get("error"),
        "note": why if "ready" in lines or code > 0 else "its set-up did not finish",
    }


def has_its_own(contender: str) -> bool:
    """Whether a contender has no use for the problem's rtol: its name says what it goes by."""
    return "rtol" in contender or "loss" in contender


def told(row: Row) -> str:
    """One row in words, for the terminal."""
    if not row["finished"]:
        reached = [f", {name} reached {row[name]:.1e}" for name in ("residual", "error") if row[name] is not None]
        return f"{row['note']}{''.join(reached)}"
    return f"{row['seconds']:.4g} s, error {row['error']:.1e}, {row['steps']} steps"


def label(fields: Row) -> str:
    """The fields of a row in brackets."""
    return f"[{' '.join(str(value) for value in fields.values())}]" if fields else ""
