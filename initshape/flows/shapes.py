"""Which array sizes get a compiled program of their own: sizes are rounded up to a few buckets and padded exactly.

Compilation takes a second, a small flow takes milliseconds. Powers of two while sizes cost little, then steps of one
eighth of the leading power of two: these waste at most 12.5 % of a large problem and leave eight programs for each
doubling. Cost grows with the square of the samples at least and with the features once, so powers of two end earlier
for samples.
"""

from __future__ import annotations

SMALLEST = 8
LAST_POWER, LAST_POWER_OF_FEATURES = 64, 1024
STEPS_PER_DOUBLING = 8


def bucket(size: int, last_power: int = LAST_POWER) -> int:
    """The smallest bucket that holds `size`; idempotent and monotone."""
    if size < 0:
        raise ValueError("a size cannot be negative")
    size = max(size, SMALLEST)
    leading = 1 << (size.bit_length() - 1)
    if size <= last_power:
        return leading if size == leading else 2 * leading
    step = leading // STEPS_PER_DOUBLING
    return -(-size // step) * step


def feature_bucket(size: int) -> int:
    """The same for the number of features."""
    return bucket(size, LAST_POWER_OF_FEATURES)


ALONE, IN_A_LANE = 2**23, 2**21
"""Numbers in the buffer of saved states, 64 and 16 MB: a block of a large flow copies its state, which costs more than
the statistics of a row, so that few blocks are better; many lanes want the memory for themselves."""


def saved_rows(parameters: int, numbers: int = IN_A_LANE) -> int:
    """States that one compiled block may hold before it reduces them to statistics: 4 to 32 rows."""
    return max(4, min(32, numbers // max(parameters, 1) // 4 * 4))
