"""Cells of a sweep, put together from sections (dataset, model, init, ...) that are validated once each.

Cells differ in a section or two. What the settings of a cell leave alone is validated, written out and made canonical
once for all cells that share it; a section that they change, once for each combination of its settings. What sections
must agree on is checked for every cell. A cell that fails here is validated as a whole, as if it had come alone: that
is where errors come from, so they are the same.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from initshape.spec.checks import check_experiment
from initshape.spec.defaults import READ_FROM, fill
from initshape.spec.experiment import Experiment
from initshape.spec.explain import explain
from initshape.spec.identity import id_of_sections, resolved, resolved_id, section_text
from initshape.spec.overlay import Setting, overlay, relocate
from initshape.spec.problem import SpecError
from initshape.spec.uploaded import Uploads


@dataclass(frozen=True, slots=True)
class Assembled:
    """An experiment with its id and its resolved document, whose sections other cells may share."""

    id: str
    experiment: Experiment
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Section:
    value: Any  # validated
    document: Any  # with every default, as JSON has it
    text: bytes | None  # canonical; None where the identity does not cover it


@dataclass(frozen=True, slots=True)
class _Plan:
    """For cells that set the same paths: what they share, and for the other sections which settings make them."""

    given: set[str]
    shared: dict[str, _Section | None]  # None: made by the settings; in the order of the fields
    made: tuple[tuple[str, tuple[int, ...]], ...]


class Assembler:
    """Makes the cells of one sweep. Settings are told apart by identity: cells that have one in common share it."""

    def __init__(self, base: Mapping[str, Any], uploads: Uploads) -> None:
        self._base = base
        self._uploads = uploads
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._made: dict[tuple[str | Setting, ...], _Section] = {}

    def cell(self, settings: tuple[Setting, ...]) -> Assembled:
        """The base with these settings. Errors: SpecError with pointers into the sweep."""
        try:
            return self._assembled(settings)
        except (ValidationError, SpecError, _NotPlainError):
            return self._alone(settings)

    def _assembled(self, settings: tuple[Setting, ...]) -> Assembled:
        """Errors: for whatever the validation of the whole has to tell."""
        paths = tuple([setting.path for setting in settings])
        plan = self._plans.get(paths)
        if plan is None:
            plan = self._plans[paths] = self._plan(settings)
        sections, filled = plan.shared.copy(), None
        for name, places in plan.made:
            known: tuple[str | Setting, ...] = (name, *[settings[place] for place in places])
            section = self._made.get(known)
            if section is None:
                filled = filled or fill(overlay(self._base, settings))
                section = self._made[known] = self._section(name, filled)
            sections[name] = section
        found = {name: section for name, section in sections.items() if section is not None}
        experiment = Experiment.model_construct(plan.given, **{name: section.value for name, section in found.items()})
        if next(check_experiment(experiment), None) is not None:
            raise _NotPlainError
        document = {name: section.document for name, section in found.items()}
        return Assembled(id_of_sections({name: section.text for name, section in found.items()}), experiment, document)

    def _plan(self, settings: tuple[Setting, ...]) -> _Plan:
        filled = fill(overlay(self._base, settings))
        if not filled.keys() <= Experiment.model_fields.keys():
            raise _NotPlainError
        heads = [setting.path.partition(".")[0] for setting in settings]
        shared: dict[str, _Section | None] = {}
        made = []
        for name in Experiment.model_fields:
            sources = (name, *READ_FROM.get(name, ()))
            places = tuple(place for place, head in enumerate(heads) if head in sources)
            shared[name] = None if places else self._section(name, filled)
            if places:
                made.append((name, places))
        return _Plan(set(filled), shared, tuple(made))

    def _section(self, name: str, filled: Mapping[str, Any]) -> _Section:
        """One section of a document with its conditional defaults. Errors: pydantic.ValidationError."""
        field = Experiment.model_fields[name]
        if name in filled:
            value = _adapter(name).validate_python(filled[name], context=self._uploads)
        elif field.is_required():
            raise _NotPlainError
        else:
            value = field.get_default()
        document = _adapter(name).dump_python(value, mode="json", exclude_none=True)
        return _Section(value, document, section_text(name, document))

    def _alone(self, settings: tuple[Setting, ...]) -> Assembled:
        try:
            experiment = Experiment.model_validate(overlay(self._base, settings), context=self._uploads)
        except ValidationError as error:
            problems = tuple(relocate(p, settings) for p in explain(error, Experiment))
            raise SpecError("A cell of the sweep is not a valid experiment.", problems) from None
        document = resolved(experiment)
        return Assembled(resolved_id(document), experiment, document)


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    """Validates one field of an Experiment by itself."""
    return TypeAdapter(typing.get_type_hints(Experiment, include_extras=True)[name])


class _NotPlainError(Exception):
    """The cell has to be looked at as a whole."""
