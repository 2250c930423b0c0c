"""The benchmarks, by name; each module has `run(effort) -> Outcome` and a `TITLE`."""

NAMES = ("flow", "sweep", "fit", "floor", "scaling", "cold", "accept", "store")
