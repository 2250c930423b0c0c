"""Training losses."""

from __future__ import annotations

from typing import Literal

from initshape.spec.base import Spec


class Square(Spec):
    """L = ||y - X w||^2 / (2N)."""

    kind: Literal["square"] = "square"


LossSpec = Square
