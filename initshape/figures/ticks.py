"""Where the ticks of a logarithmic axis stand: every decade or every few, the minor ones always visible.

Ordinary locators drop minor ticks on long ranges and print "0" for small numbers; a reader of a log-log figure needs
both the exponents and the minor ticks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_MOST_LABELS = 9
_MULTIPLES = ((1,), (1, 2, 5), tuple(range(1, 10)))


@dataclass(frozen=True)
class LogTicks:
    """Limits of the axis, labelled ticks with their mathtext, and unlabelled ticks."""

    low: float
    high: float
    major: tuple[float, ...]
    labels: tuple[str, ...]
    minor: tuple[float, ...]


def log_ticks(low: float, high: float) -> LogTicks:
    """Ticks for positive data in [low, high].

    On short ranges the multiples 1, 2, 5, or all of 1..9, are labelled too; over nine decades every second (third, ...)
    exponent is labelled and the minor ticks are the decades between.
    """
    low, high = _padded(low, high)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = max(1, math.ceil((last - first + 1) / _MOST_LABELS))
    if stride > 1:
        decades = [10.0**e for e in range(first, last + 1) if low <= 10.0**e <= high]
        major = [value for value in decades if round(math.log10(value)) % stride == 0]
        minor = [value for value in decades if value not in major]
        return LogTicks(low, high, tuple(major), tuple(_power(value) for value in major), tuple(minor))
    every = [(m, e, m * 10.0**e) for e in range(first - 1, last + 1) for m in range(1, 10)]
    inside = [(m, e, value) for m, e, value in every if low <= value <= high]
    choices = ([tick for tick in inside if tick[0] in multiples] for multiples in _MULTIPLES)
    enough = 3 if high / low < 100 else 2
    labelled = next((ticks for ticks in choices if len(ticks) >= enough), inside)
    if len(labelled) < 2:  # a range within one step of 1..9: its ends are the only round things left
        ends = (low, high)
        return LogTicks(low, high, ends, tuple(f"{value:.3g}" for value in ends), ())
    major = [value for _, _, value in labelled]
    labels = [_power(value) if m == 1 else rf"${m}\times10^{{{e}}}$" for m, e, value in labelled]
    return LogTicks(low, high, tuple(major), tuple(labels), tuple(v for _, _, v in inside if v not in major))


def _padded(low: float, high: float) -> tuple[float, float]:
    """A little room on both sides; a single value gets a third of a decade each way."""
    room = 10 ** (0.04 * math.log10(high / low)) if high > low else 2.0
    return max(low / room, 1e-300), min(high * room, 1e300)


def _power(value: float) -> str:
    return rf"$10^{{{round(math.log10(value))}}}$"
