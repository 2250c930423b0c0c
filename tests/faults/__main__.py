"""`make chaos`, or `python -m tests.faults [SCENARIO ...]`: breaks a real service at random and says what it kept."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import document
from tests.faults.runner import Report, judge, run, scaled
from tests.faults.scenario import SCENARIOS, Scenario
from tests.faults.table import complaints, section

DEFAULT = ["kills", "redis", "many"]


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, help="instead of the scenario's number")
    parser.add_argument("--jobs", type=int, help="experiments that end the run")
    parser.add_argument("--faults", type=int, help="so many instead, in the same proportions")
    parser.add_argument("--minutes", type=float, help="at most, for clients and faults")
    parser.add_argument("--folder", type=Path, help="for logs and data; default: a new temporary one, which stays")
    parser.add_argument("--judge", action="store_true", help="run nothing: check the logs that lie in the folder again")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/reliability.md")
    given = parser.parse_args(arguments)
    if unknown := set(given.scenarios) - set(SCENARIOS):
        parser.error(f"no scenario {', '.join(unknown)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whatever ends it, its processes end as well
    folder = given.folder or Path(tempfile.mkdtemp(prefix="initshape-chaos-"))
    good = True
    for name in given.scenarios or DEFAULT:
        scenario = scaled(
            SCENARIOS[name], workers=given.workers, jobs=given.jobs, minutes=given.minutes, faults=given.faults
        )
        if given.judge:
            report = judge(scenario, given.seed, folder / name)
        else:
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / "about").write_text(document.about(_command(name, scenario, given.seed)))
            report = run(scenario, given.seed, folder / name, _say)
        good &= report.good
        _publish(report, folder / name, write=given.write)
    return 0 if good else 1


def _publish(report: Report, folder: Path, write: bool) -> None:
    text = f"{(folder / 'about').read_text()}\n\n{section(report)}"
    print(f"\n{text}\n\n{complaints(report)}", flush=True)
    if write:
        document.write(report.scenario.name, text)


def _command(name: str, scenario: Scenario, seed: int) -> str:
    original = SCENARIOS[name]
    options = [
        f" {word}={value:g}"
        for word, value, usual in (
            ("SEED", seed, 1),
            ("WORKERS", scenario.workers, original.workers),
            ("JOBS", scenario.jobs, original.jobs),
            ("FAULTS", sum(scenario.counts.values()), sum(original.counts.values())),
            ("MINUTES", scenario.most_seconds / 60, original.most_seconds / 60),
        )
        if value != usual
    ]
    return f"make chaos SCENARIO={name}{''.join(options)}"


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
