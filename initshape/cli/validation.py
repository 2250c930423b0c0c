"""What `initshape validate` answers, the shape of the server's answer, computed here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from initshape.cli.documents import is_sweep_document
from initshape.spec.estimate import Estimate, Limits, refuse_beyond, warnings
from initshape.spec.expand import expand, sweep_id
from initshape.spec.identity import experiment_id
from initshape.spec.parse import parse_submission, parse_sweep


def validation(document: dict[str, Any]) -> dict[str, Any]:
    """Id, estimate and warnings of an experiment or a sweep. Errors: SpecError."""
    if not is_sweep_document(document):
        submission = parse_submission(document)
        return {
            "id": experiment_id(submission.experiment),
            "spec": submission.model_dump(mode="json", exclude_none=True),
            "estimate": asdict(refuse_beyond(Limits(), submission.experiment)),
            "warnings": list(warnings(submission.experiment)),
        }
    sweep = parse_sweep(document)
    cells = expand(sweep.sweep)
    estimates = [refuse_beyond(Limits(), cell.experiment, "/sweep/base") for cell in cells]
    total = Estimate(
        memory=max(found.memory for found in estimates),
        result=sum(found.result for found in estimates),
        seconds=sum(found.seconds for found in estimates),
    )
    told = dict.fromkeys(warning for cell in cells for warning in warnings(cell.experiment))
    return {
        "id": sweep_id(cells),
        "cells": len(cells),
        "spec": sweep.model_dump(mode="json", exclude_none=True),
        "estimate": asdict(total),
        "warnings": list(told),
    }
