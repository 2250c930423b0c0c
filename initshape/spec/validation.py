"""What a document asks for, without computing it: id, the document with every default, estimate and warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from initshape.spec.estimate import Estimate, Limits, refuse_beyond, warnings
from initshape.spec.expand import Cell, columns, expand, shown_values, sweep_id
from initshape.spec.identity import experiment_id
from initshape.spec.parse import parse_submission, parse_sweep
from initshape.spec.uploaded import NOTHING, Uploads


def validated(document: Any, uploads: Uploads = NOTHING) -> dict[str, Any]:
    """An experiment, in the shape of the server's answer. Errors: SpecError."""
    submission = parse_submission(document, uploads)
    return {
        "id": experiment_id(submission.experiment),
        "spec": submission.model_dump(mode="json", exclude_none=True),
        "estimate": asdict(refuse_beyond(Limits(), submission.experiment)),
        "warnings": list(warnings(submission.experiment)),
    }


def validated_sweep(document: Any, uploads: Uploads = NOTHING) -> dict[str, Any]:
    """A sweep: its cells are counted, their estimates added up. Errors: SpecError."""
    sweep = parse_sweep(document)
    cells = expand(sweep.sweep, uploads)
    return {
        "id": sweep_id(cells),
        "cells": len(cells),
        "spec": sweep.model_dump(mode="json", exclude_none=True),
        "estimate": _total(cells),
        "warnings": _warnings(cells),
    }


def previewed(document: Any, known: Mapping[str, Any], uploads: Uploads = NOTHING) -> dict[str, Any]:
    """A sweep, cell by cell, in the shape of the server's preview; `known` has the ids with a result."""
    cells = expand(parse_sweep(document).sweep, uploads)
    axes = columns(cells)
    return {
        "id": sweep_id(cells),
        "counts": {"cells": len(cells), "cached": sum(cell.id in known for cell in cells)},
        "estimate": _total(cells),
        "warnings": _warnings(cells),
        "axes": axes,
        "cells": [
            {"id": cell.id, "values": shown_values(cell, axes), "status": "succeeded" if cell.id in known else None}
            for cell in cells[:_PREVIEWED]
        ],
    }


_PREVIEWED = 1000


def _total(cells: tuple[Cell, ...]) -> dict[str, Any]:
    estimates = [refuse_beyond(Limits(), cell.experiment, "/sweep/base") for cell in cells]
    return asdict(
        Estimate(
            memory=max(found.memory for found in estimates),
            result=sum(found.result for found in estimates),
            seconds=sum(found.seconds for found in estimates),
        )
    )


def _warnings(cells: tuple[Cell, ...]) -> list[str]:
    return list(dict.fromkeys(warning for cell in cells for warning in warnings(cell.experiment)))
