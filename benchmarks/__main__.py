"""python -m benchmarks [--only flow fit ...] [--full]: runs benchmarks and writes README, images and JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.markdown import replaced, section
from benchmarks.outcome import Effort, Outcome
from benchmarks.suites import NAMES
from initshape.numerics_environment import one_core

HERE = Path(__file__).parent


def main() -> None:
    """One benchmark after the other; each one that ends is written at once."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=NAMES, default=[], help="these benchmarks, not all of them")
    parser.add_argument("--full", action="store_true", help="run everything whole: hours, nothing extrapolated")
    parser.add_argument("--limit", type=float, help="seconds a contender")
    given = parser.parse_args()
    one_core()
    limit = given.limit or (600.0 if given.full else Effort.limit)
    for name in given.only or NAMES:
        print(f"{name} ...", flush=True)
        command = f"make bench{'-full' if given.full else ''}{f' ONLY={name}' if given.only else ''}"
        about = machine() | {"command": command}
        start = time.monotonic()
        outcome = importlib.import_module(f"benchmarks.suites.{name}").run(Effort(limit, whole=given.full))
        about["seconds"] = round(time.monotonic() - start, 1)
        write(name, outcome, about, HERE)
        print(f"{name}: {about['seconds']} s", flush=True)


def write(name: str, outcome: Outcome, about: dict[str, Any], folder: Path) -> None:
    """The section of the README in `folder`, and the raw numbers beside it."""
    readme = folder / "README.md"
    readme.write_text(replaced(readme.read_text(), name, section(outcome, about)))
    bars = [{**vars(bar), "met": bar.met} for bar in outcome.bars]
    document = {"benchmark": name, "machine": about, "bars": bars, **outcome.raw}
    (folder / "results").mkdir(exist_ok=True)
    (folder / "results" / f"{name}.json").write_text(json.dumps(rounded(document), indent=1, allow_nan=False) + "\n")


def rounded(value: Any) -> Any:
    """Floats to six significant digits; what is not finite becomes null, as JSON asks."""
    if isinstance(value, dict):
        return {str(key): rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if abs(value) < float("inf") else None
    return value


if __name__ == "__main__":
    main()
