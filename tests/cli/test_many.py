"""`initshape submit` of several files and of files of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.cli.conftest import Run

Write = Callable[[str, str], str]


def document(scale: float) -> dict[str, Any]:
    return {
        "experiment": {
            "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2},
            "model": {"kind": "diagonal"},
            "init": {"kind": "scale_shape", "scale": scale, "shape": 0.25},
            "flow": {"kind": "none"},
        }
    }


def test_lines_and_files_in_one_go(initshape: Run, write: Write) -> None:
    lines = write("many.jsonl", "\n".join(json.dumps(document(k / 8)) for k in (1, 2)) + "\n")
    base = document(1.0)["experiment"]
    sweep = {"sweep": {"base": base, "axes": [{"path": "init.scale", "values": [0.125, 0.375]}]}}
    one, many = write("one.json", json.dumps(document(0.125))), write("s.json", json.dumps(sweep))
    done = initshape("submit", lines, one, many, "--wait", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["status"] for row in rows] == ["succeeded"] * 4
    assert rows[0]["id"] == rows[2]["id"]
    assert rows[1]["file"].endswith("many.jsonl:2")
    assert rows[3]["id"].startswith("s-")


def test_a_refused_line_is_told_and_the_others_are_sent(initshape: Run, write: Write) -> None:
    lines = write("bad.jsonl", "\n".join(json.dumps(document(scale)) for scale in (0.5, -1.0)))
    done = initshape("submit", lines)
    assert done.returncode == 2
    assert "bad.jsonl:2" in done.stderr
    assert "/experiment/init/scale" in done.stderr
    assert "refused" in done.stdout
    assert "x-" in done.stdout


def test_what_is_not_json_is_told_before_anything_is_sent(initshape: Run, write: Write) -> None:
    done = initshape("submit", write("broken.jsonl", json.dumps(document(0.75)) + '\n{"experiment": \n'))
    assert done.returncode == 2
    assert "broken.jsonl:2" in done.stderr
    assert done.stdout == ""
