"""How long jobs took, by class: a job of no time at all is counted in the first class."""

from __future__ import annotations

import pytest

from initshape.store import leases
from initshape.store.keys import TALLIES
from initshape.store.publish import publish
from initshape.store.tallies import Facts
from tests.store.desk import Desk


@pytest.mark.parametrize(("milliseconds", "k"), [(0, 0), (1, 0), (2, 1), (1000, 6), (10**9, 14)])
def test_the_class_of_a_duration(desk: Desk, milliseconds: int, k: int) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.clock.pass_seconds(milliseconds / 1000)
    desk.store.run(leases.renew(claim.id, claim.fence))
    facts = Facts("diagonal", "cpu")
    desk.store.run(publish(claim.id, claim.fence, b"{}", {}, "converged", facts=facts))
    took = [name for name in desk.store.client.hkeys(TALLIES) if name.startswith(b"took ")]
    assert took == [f"took diagonal cpu {k}".encode()]
