"""The named runs: who works, who asks for what, what is broken how often."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.faults.customer import Habits
from tests.faults.schedule import API, CHILD, FREEZE, REDIS, REDIS_FREEZE, WORKER


@dataclass(frozen=True)
class Scenario:
    """`counts` of faults, `mean` seconds apart; they end the run, unless `jobs` does: then they go on in proportion.

    `ranges` replaces how long a kind of fault lasts. `most_seconds` bounds what clients and faults may take. An `aimed`
    run breaks things only while a worker is at a job, and hits workers that are.
    """

    name: str
    workers: int
    clients: int
    habits: Habits
    counts: Mapping[str, int]
    mean: float
    jobs: float = math.inf
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    most_seconds: float = 7200.0
    aimed: bool = False


DEEDS = {"submit": 60, "share": 6, "look": 10, "read": 8, "cancel": 5, "rerun": 5, "delete": 4, "list": 2}

SMOKE = Scenario(
    "smoke",
    workers=2,
    clients=3,
    habits=Habits(
        width=6, kinds={"fit": 4, "flow": 2, "middle": 4}, deeds=DEEDS | {"cancel": 12, "share": 40}, pause=0.1
    ),
    counts={CHILD: 1, WORKER: 1, FREEZE: 1, REDIS: 1, REDIS_FREEZE: 1, API: 1},
    mean=2.0,
    ranges={WORKER: (0.2, 0.5), FREEZE: (6.0, 6.8), REDIS: (0.5, 1.5), REDIS_FREEZE: (5.5, 6.5), API: (0.1, 0.3)},
    most_seconds=120.0,
    aimed=True,
)
"""One fault of each kind, for every run of the tests; freezes outlast a lease."""

KILLS = Scenario(
    "kills",
    workers=4,
    clients=2,
    habits=Habits(
        width=1, kinds={"long": 1}, deeds={"submit": 10, "rerun": 30, "read": 4, "look": 6, "cancel": 6}, repertoire=20
    ),
    counts={CHILD: 100, WORKER: 100},
    mean=4.0,
)
"""Fewer jobs than workers, each of some seconds: a warm worker is free for what a kill has hit."""

REDIS_AWAY = Scenario(
    "redis",
    workers=2,
    clients=4,
    habits=Habits(width=6, kinds={"fit": 6, "flow": 3, "middle": 1}, deeds=DEEDS | {"cancel": 12}, pause=0.2),
    counts={REDIS: 20, REDIS_FREEZE: 20},
    mean=15.0,
)
"""Nothing but Redis is broken, under load: no job may be lost, and none may be started again."""

MANY = Scenario(
    "many",
    workers=4,
    clients=8,
    habits=Habits(width=30, kinds={"fit": 7, "flow": 3}, deeds=DEEDS | {"batch": 12}, batch=10),
    counts={CHILD: 8, WORKER: 6, FREEZE: 4, REDIS: 2, REDIS_FREEZE: 1, API: 2},
    mean=10.0,
    jobs=10_000,
    ranges={REDIS_FREEZE: (2.0, 20.0)},
)
"""Ten thousand small experiments while everything breaks in turn."""

SCENARIOS = {scenario.name: scenario for scenario in (SMOKE, KILLS, REDIS_AWAY, MANY)}
