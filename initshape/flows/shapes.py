"""Which array sizes get a compiled program of their own: sizes are rounded up to a few buckets and padded exactly.

Compilation takes a second, a small flow takes milliseconds. Powers of two up to 64, then steps of one eighth of the
leading power of two, waste at most 12.5 % of a large problem and leave eight programs for each doubling in size.
"""

from __future__ import annotations

SMALLEST = 8
LAST_POWER = 64
STEPS_PER_DOUBLING = 8


def bucket(size: int, smallest: int = SMALLEST) -> int:
    """The smallest bucket that holds `size`; idempotent and monotone."""
    if size < 0:
        raise ValueError("a size cannot be negative")
    size = max(size, smallest)
    leading = 1 << (size.bit_length() - 1)
    if size <= LAST_POWER:
        return leading if size == leading else 2 * leading
    step = leading // STEPS_PER_DOUBLING
    return -(-size // step) * step


def saved_rows(parameters: int) -> int:
    """States that one compiled block may hold before it reduces them to statistics: about 16 MB, 4 to 32 rows."""
    return max(4, min(32, 2**21 // max(parameters, 1)))
