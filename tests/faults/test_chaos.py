"""One fault of each kind against a real service under load; `make chaos` does the same for hours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.runner import run
from tests.faults.scenario import SMOKE
from tests.faults.table import complaints, table


@pytest.mark.timeout(600)
def test_a_short_storm_breaks_no_promise(tmp_path: Path) -> None:
    report = run(SMOKE, 1, tmp_path)
    print(table(report))
    assert report.faults == SMOKE.counts
    assert report.good, complaints(report)
