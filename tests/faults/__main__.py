"""`make chaos`, or `python -m tests.faults [SCENARIO ...]`: breaks a real service at random and says what it kept."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.runner import run, scaled
from tests.faults.scenario import SCENARIOS
from tests.faults.table import complaints, table


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"{', '.join(SCENARIOS)}; default: the last three"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, help="instead of the scenario's number")
    parser.add_argument("--jobs", type=int, help="experiments that end the run")
    parser.add_argument("--faults", type=int, help="so many instead, in the same proportions")
    parser.add_argument("--minutes", type=float, help="at most, for clients and faults")
    parser.add_argument("--folder", type=Path, help="for logs and data; default: a new temporary one, which stays")
    given = parser.parse_args(arguments)
    if unknown := set(given.scenarios) - set(SCENARIOS):
        parser.error(f"no scenario {', '.join(unknown)}")
    folder = given.folder or Path(tempfile.mkdtemp(prefix="initshape-chaos-"))
    good = True
    for name in given.scenarios or ["kills", "redis", "many"]:
        scenario = scaled(
            SCENARIOS[name], workers=given.workers, jobs=given.jobs, minutes=given.minutes, faults=given.faults
        )
        report = run(scenario, given.seed, folder / name, _say)
        good &= report.good
        print(f"\n{name}: seed {given.seed}, {report.faults} faults in {report.seconds:.0f} s\n\n{table(report)}\n")
        print(complaints(report), flush=True)
    return 0 if good else 1


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
