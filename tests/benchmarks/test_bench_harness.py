"""Limits, skipped contenders, medians, ratios and markers: what stands between a clock and the README."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import write
from benchmarks.clock import Diary, timed
from benchmarks.contender import Answer, Contender, Ready
from benchmarks.contenders import fits, flows, named, sweep_named, sweeps
from benchmarks.contenders.optional import lookup, missing
from benchmarks.exact import exact_limit
from benchmarks.isolated import call
from benchmarks.machine import machine, sentence
from benchmarks.markdown import number, race_table, replaced
from benchmarks.outcome import Bar, Outcome, Table, ratio
from benchmarks.pool import Pool
from benchmarks.problem import Problem, grid
from benchmarks.race import race, run
from benchmarks.suites import NAMES, cold, fit, flow, scaling, sweep

SMALL = Problem(alpha=1e-2, shape=0.5, dimension=20, samples=4, seed=1)
README = Path(__file__).parent.parent.parent / "benchmarks" / "README.md"


def test_every_contender_has_a_name_of_its_own() -> None:
    names = [entry.name for entry in (*flows(), *fits(), *sweeps())]
    assert len(set(names)) == len(names)
    assert named("initshape fit").ours
    assert sweep_named("initshape fits").batch == 10


def test_a_contender_in_its_own_process_is_measured_against_the_exact_limit() -> None:
    row = run("scipy BDF on the reduced dual, rtol 1e-3", SMALL, limit=30.0)
    assert row["finished"]
    assert row["reached"]
    assert row["error"] < 1e-9
    assert 0.0 < row["seconds"] < 30.0
    assert row["repeats"] == 5


def test_one_that_does_not_finish_is_stopped_and_says_how_far_it_came() -> None:
    endless = Problem(alpha=1e-60, shape=0.9, dimension=200, samples=20)
    begun = time.monotonic()
    row = run("gradient descent, step 1e-3, to loss 1e-4", endless, limit=0.8)
    assert time.monotonic() - begun < 60.0
    assert not row["finished"]
    assert row["note"] == "did not finish in 0.8 s"
    assert 0.0 < row["residual"] <= 1.0
    assert row["steps"] >= 0


def test_one_that_is_stopped_between_feasible_points_tells_its_error() -> None:
    row = run("SLSQP, exact gradients", Problem(alpha=1e-30, shape=0.5, dimension=400, samples=40), limit=3.0)
    assert not row["finished"]
    assert row["error"] > 1e-6


def test_one_that_fails_says_why() -> None:
    row = run("no such contender", SMALL, limit=5.0)
    assert not row["finished"]
    assert "KeyError" in row["note"]


def test_a_missing_contender_leaves_a_line_and_no_row(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['diffrax'] = None")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    rivals = [entry for entry in flows() if entry.name == "diffrax Tsit5"]
    assert race(rivals, SMALL, 5.0) == []
    assert "skipped diffrax Tsit5: diffrax is not installed" in capsys.readouterr().out


def test_optional_parts_are_found_or_named() -> None:
    assert lookup("initshape.regularizers:fit") is not None
    assert lookup("initshape.no_such_module:thing") is None
    assert missing("initshape.run:no_such_name") == "this version has no initshape.run.no_such_name"


def test_a_short_run_warms_up_and_a_long_one_does_not() -> None:
    calls: list[float] = []

    def solve(report: object) -> Answer:
        calls.append(time.perf_counter())
        time.sleep(0.005)
        return Answer(exact_limit(SMALL), len(calls))

    short = timed(Ready(solve), lambda *_: None, limit=10.0)
    assert (short.repeats, len(calls), short.answer.steps) == (5, 6, 6)
    assert short.seconds >= 0.005
    assert short.cpu_seconds < short.seconds  # sleeping is no work
    cut_short = timed(Ready(solve), lambda *_: None, limit=0.0)
    assert (cut_short.repeats, len(calls)) == (1, 7)


def test_the_diary_keeps_to_a_few_lines_a_second(tmp_path: Path) -> None:
    diary = Diary(tmp_path / "diary")
    for steps in range(1000):
        diary.report(steps, 0.5)
    assert len((tmp_path / "diary").read_text().splitlines()) < 20


def test_workers_share_a_sweep_and_every_answer_finds_its_network() -> None:
    problems = grid(5, (0.0, 0.9), dimension=20, samples=4)
    with Pool(2) as pool:
        done = pool.sweep(sweep_named("initshape fits"), problems)
    assert (done.cells, done.workers, len(done.errors)) == (10, 2, 10)
    assert max(done.errors) < 1e-11


def test_a_fresh_process_answers_or_says_what_went_wrong() -> None:
    assert call("math:hypot", 3.0, 4.0) == 5.0
    with pytest.raises(RuntimeError, match="ValueError"):
        call("math:sqrt", -1.0)
    with pytest.raises(RuntimeError, match="longer than"):
        call("time:sleep", 30.0, timeout=1.0)


def test_bars_are_met_missed_or_open() -> None:
    assert Bar("b", 16.0, ">=", 15.0).met is True
    assert Bar("b", 14.0, ">=", 15.0).met is False
    assert Bar("b", 0.5, "<=", 0.6, unit="s").met is True
    assert Bar("b", None, ">=", 15.0).met is None
    assert Bar("b", 14.0, ">=", 15.0, lower_bound=True).met is None  # the rival was stopped: it may still be met
    assert Bar("b", 16.0, ">=", 15.0, lower_bound=True).met is True
    assert (ratio(10.0, 2.0), ratio(None, 2.0), ratio(1.0, None)) == (5.0, None, None)


def flow_row(contender: str, seconds: float, *, finished: bool = True, error: float = 1e-9) -> dict[str, object]:
    return {"contender": contender, "ours": "initshape" in contender, "case": "A", "seconds": seconds,
            "finished": finished, "error": error, "reached": True, "steps": 7, "residual": 1e-11}  # fmt: skip


def test_the_bar_of_one_flow_takes_only_runs_that_are_exact_enough() -> None:
    rows = [
        flow_row("gradient descent, step 1e-3, to loss 1e-4", 12.0),
        flow_row("initshape flow", 0.1, error=1e-6),
        flow_row("initshape flow", 0.4),
        flow_row("initshape dual flow", 0.01),
    ]
    first, second = flow.bars(rows)
    assert first.measured == pytest.approx(30.0)
    assert second.measured == pytest.approx(0.4 / 1.2)
    assert flow.bars(rows[:2])[0].measured is None


def test_the_bar_of_the_fit_is_a_lower_bound_when_slsqp_was_stopped() -> None:
    case = {"case": "alpha = 1e-05"}
    rows = [
        flow_row("initshape fit", 0.01) | case,
        flow_row("SLSQP, exact gradients", 45.0, finished=False) | case,
    ]
    bar = fit.bars(rows, {})[0]
    assert bar.measured == pytest.approx(4500.0)
    assert bar.lower_bound
    assert bar.met


def test_the_loop_of_the_sweep_adds_what_ran_and_what_is_predicted() -> None:
    loop = {"seconds": 200.0, "steps": 5_200_000, "steps_predicted": 5_000_000}
    bars = sweep.bars({}, loop)
    assert bars[0].measured is None
    assert bars[0].extrapolated == "5.00 of 5.20 million steps of the loop"
    assert sweep.bars({}, loop | {"steps_predicted": 0})[0].extrapolated == ""


def test_exponents_are_slopes_of_logarithms() -> None:
    rows = [{"d": d, "t": 3e-5 * d**1.07} for d in (1e3, 1e4, 1e5)]
    assert scaling.exponent(rows, "d", "t") == pytest.approx(1.07)


def test_a_row_that_did_not_finish_is_a_lower_bound_in_the_table() -> None:
    ours = flow_row("initshape flow", 0.5)
    slow = flow_row("other | thing", 12.0, finished=False) | {"note": "did not finish in 12 s", "error": None}
    table = race_table("c", [ours, slow], ours)
    assert table.rows[1][:4] == ("other | thing", "> 12", "-", "> 24")
    assert table.rows[1][-1] == "did not finish in 12 s"
    assert table.rows[0][0] == "**initshape flow**"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.01234, "0.0123"),
        (1234.5, "1234"),
        (2e-8, "2.0e-08"),
        (3e6, "3.0e+06"),
        (9.876, "9.88"),
    ],
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_run_rewrites_its_own_section_only(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(README.read_text())
    before = readme.read_text()
    about = machine() | {"command": "make bench ONLY=cold"}
    outcome = Outcome(
        [Table("Caption", ("a", "b"), [("1", "2")])], [Bar("bar", 2.0, ">=", 1.0)], {"rows": [float("nan")]}
    )
    write("cold", outcome, about, tmp_path)
    after = readme.read_text()
    assert sentence(about) in after
    assert "| bar | at least 1 x | 2 x | met | - |" in after
    assert after.split("<!-- cold: begin -->")[0] == before.split("<!-- cold: begin -->")[0]
    write("cold", outcome, about, tmp_path)
    assert readme.read_text() == after
    assert json.loads((tmp_path / "results" / "cold.json").read_text())["rows"] == [None]


def test_a_readme_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="once each"):
        replaced("no markers", "flow", "text")
    assert all(f"<!-- {name}: begin -->" in README.read_text() for name in NAMES)


def test_a_process_that_has_compiled_nothing_pays_once_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "SHAPES", ((20, 4), (19, 3)))
    monkeypatch.setattr(cold, "MEANING", cold.MEANING[:2])
    first, second = cold.shapes()
    assert first["compile_seconds"] < first["first_seconds"]
    assert second["compile_seconds"] == 0.0
    assert second["solve_seconds"] > 0.0


def test_a_contender_is_one_small_entry() -> None:
    entry = Contender("mine", lambda problem: Ready(lambda report: Answer(exact_limit(problem), 1)))
    assert entry.missing() is None
    assert timed(entry.prepare(SMALL), lambda *_: None, 1.0).answer.steps == 1
