"""What this release knows: kinds of models, data, flows, losses, initializations, and the regularizers."""

from __future__ import annotations

from typing import Any

from initshape.regularizers.max_margin_registry import margin_catalog
from initshape.regularizers.registry import catalog as regularizers
from initshape.spec.catalog import kinds, settings
from initshape.spec.version import NUMERICS_VERSION

SQUARE, CLASSIFICATION = ["square"], ["exponential", "logistic"]


def catalog() -> dict[str, Any]:
    """The whole catalog, ready for JSON. It is read off the spec and the registries: nothing is listed here."""
    found = [{**entry, "losses": SQUARE} for entry in regularizers()]
    found += [{**entry, "losses": CLASSIFICATION} for entry in margin_catalog()]
    return {"numerics_version": NUMERICS_VERSION, **kinds(), "settings": settings(), "regularizers": found}
