"""Bytes or text to a validated document. Everything that is wrong leaves as one SpecError with pointers."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from initshape.spec.edit import ExperimentEdit, SweepEdit
from initshape.spec.evaluation import Evaluation, FormulaEvaluation, InitEvaluation
from initshape.spec.experiment import Submission
from initshape.spec.explain import explain, unknown_key
from initshape.spec.problem import ProblemError, SpecError, shown
from initshape.spec.sweep import SweepSubmission
from initshape.spec.uploaded import NOTHING, Uploads

DEEPEST_YAML = 100
"""Brackets within brackets; documents of this schema need four."""

Document = TypeVar("Document", bound=BaseModel)

_OTHER_KIND: dict[type[BaseModel], tuple[str, str]] = {
    Submission: ("sweep", "this is a sweep: send it to /v1/sweeps, or use `initshape submit`"),
    SweepSubmission: ("experiment", "this is one experiment: send it to /v1/experiments"),
    InitEvaluation: ("sweep", "this is a figure: POST it to /v1/regularizers/figure.png, or `initshape evaluate -o`"),
}


def parse_json(body: bytes | str) -> Any:
    """JSON to Python. Raises SpecError (status 400) for what is not JSON, too deep, or says a key twice."""
    try:
        text = body if isinstance(body, str) else body.decode(json.detect_encoding(body), "surrogatepass")
        return _decoder.decode(text)
    except RecursionError:
        _unparsable("The body is nested too deeply.")
    except UnicodeDecodeError:
        _unparsable("The body is not UTF-8 text.")
    except ValueError as error:
        _unparsable(f"The body is not JSON: {error}.")


def parse_yaml(body: bytes | str) -> Any:
    """YAML 1.2 (1e-3 is a number) to Python. Aliases are refused: they are not needed and can blow a document up."""
    # Optional package: only files and YAML bodies need it.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.tokens import AliasToken

    try:
        text = body.decode() if isinstance(body, bytes) else body
        _refuse_nesting(text)
        if any(isinstance(token, AliasToken) for token in YAML(typ="safe", pure=True).scan(text)):
            _unparsable("YAML aliases (*name) are not accepted: write the value out.")
        document = YAML(typ="safe", pure=True).load(text)
        return json.loads(json.dumps(document))  # dates, sets and non-text keys have no JSON form
    except RecursionError:
        _unparsable("The document is nested too deeply.")
    except UnicodeDecodeError:
        _unparsable("The document is not UTF-8 text.")
    except (YAMLError, ValueError, TypeError) as error:
        _unparsable(f"The document is not YAML with JSON values: {str(error).splitlines()[0]}.")


def parse_submission(document: Any, uploads: Uploads = NOTHING) -> Submission:
    """A decoded document to a Submission; it may name `uploads`. Raises SpecError (422)."""
    return _validate(document, Submission, uploads)


def parse_sweep(document: Any) -> SweepSubmission:
    """A decoded document to a SweepSubmission; `expand` looks at its cells. Raises SpecError (422)."""
    return _validate(document, SweepSubmission)


def parse_evaluation(document: Any) -> Evaluation:
    """A decoded document to a request to look at a regularizer. Raises SpecError (422)."""
    by_formula = isinstance(document, dict) and "parameters" in document
    return _validate(document, FormulaEvaluation) if by_formula else _validate(document, InitEvaluation)


def parse_edit(document: Any) -> ExperimentEdit:
    """A decoded document to changes of an experiment's labels. Raises SpecError (422)."""
    return _validate(document, ExperimentEdit)


def parse_sweep_edit(document: Any) -> SweepEdit:
    """The same for a sweep."""
    return _validate(document, SweepEdit)


def _validate(document: Any, model: type[Document], uploads: Uploads = NOTHING) -> Document:
    if not isinstance(document, dict):
        raise SpecError(
            "The document is not an object.",
            (ProblemError(pointer="", value=shown(document), allowed=list[JsonValue](sorted(model.model_fields)),
                          hint="send an object with named fields"),),
        )  # fmt: skip
    other, advice = _OTHER_KIND.get(model, ("", ""))
    if other and other in document:
        problem = unknown_key(f"/{other}", other, model.model_fields)
        raise SpecError("The document is of another kind.", (problem.model_copy(update={"hint": advice}),))
    try:
        return model.model_validate(document, context=uploads)
    except ValidationError as error:
        problems = explain(error, model)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise SpecError(f"The document has {count}.", problems) from None


def _refuse_nesting(text: str) -> None:
    """The scanner's time grows with the square of the depth of brackets: 250 kB of them would take minutes."""
    depth = 0
    for bracket in re.finditer(r"[\[\]{}]", text):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > DEEPEST_YAML:
            _unparsable("The document is nested too deeply.")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:80]!r} stands twice in one object")
    return found


_decoder = json.JSONDecoder(object_pairs_hook=_no_repeats)  # kept: json.loads would make one a document


def _unparsable(detail: str) -> NoReturn:
    raise SpecError(detail, status=400) from None
