"""The settings of the API process, from their own declaration."""

from __future__ import annotations

from typing import Any

from generators.markdown import table
from service.settings import Settings


def settings() -> str:
    """Every setting with its default; what a service file sets for its own processes is among them."""
    rows = [
        (f"`INITSHAPE_{name.upper()}`", _default(info.default), info.description or "")
        for name, info in Settings.model_fields.items()
    ]
    return table(("variable", "default", "what it is"), rows)


def _default(value: Any) -> str:
    """As one would write it in the environment."""
    if value in (None, ()):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    many = isinstance(value, int) and value >= 1 << 18 and value % (1 << 17) == 0
    size = f" ({value / (1 << 20):,g} MiB)" if many else ""
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`{size}"
