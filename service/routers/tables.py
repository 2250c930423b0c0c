"""What a sweep answers: one row a cell, as JSON, as CSV, and drawn."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray

from initshape.figures import NEEDED, SWEEP_KINDS, FigureError, refuse_too_many, sweep_figure
from initshape.figures.table import row
from initshape.store import Operation, cells
from initshape.store.sweeps import SweepRecord
from service import downloads
from service.auth import CurrentCaller
from service.collector import resting
from service.conditional import matches, not_modified, tag_of, tagged
from service.errors import INVALID_PARAMETER, NOT_FOUND
from service.openapi import NOT_MODIFIED, media, problems
from service.parameters import FigureFormat, SweepPath
from service.pictures import renderer_version
from service.routers.results import MEDIA_TYPES, refuse_unknown, undrawable
from service.routers.sweeps import read_sweep
from service.schemas import Table
from service.services import AppServices, Services
from service.tables import MISSING, Labels, SweepTable

router = APIRouter(prefix="/v1/sweeps/{sweep_id:sweep}", tags=["tables"])


@router.get(
    "/table.json",
    operation_id="get_table",
    response_model=Table,
    responses=NOT_MODIFIED | problems(NOT_FOUND, open_to_all=False),
)
async def get_table(request: Request, services: AppServices, caller: CurrentCaller, sweep_id: SweepPath) -> Response:
    """One row a cell in the order of the sweep; cells that failed or have no result yet stay visible."""
    table = await _table(services, sweep_id)
    content = await services.in_thread(table.to_json)
    return _conditional(request, content, "application/json")


@router.get(
    "/table.csv",
    operation_id="get_table_csv",
    response_class=Response,
    responses=media("text/csv", description="The table; null is an empty field.")
    | problems(NOT_FOUND, open_to_all=False),
)
async def get_table_csv(
    request: Request, services: AppServices, caller: CurrentCaller, sweep_id: SweepPath
) -> Response:
    """The table as text; the same stored results give the same bytes."""
    table = await _table(services, sweep_id)
    content = await services.in_thread(table.to_csv)
    return _conditional(request, content, "text/csv; charset=utf-8")


@router.get(
    "/figure.{form}",
    operation_id="get_sweep_figure",
    response_class=Response,
    responses=media(*MEDIA_TYPES.values(), description="The figure.")
    | problems(NOT_FOUND, INVALID_PARAMETER, open_to_all=False),
)
async def get_sweep_figure(
    request: Request,
    services: AppServices,
    caller: CurrentCaller,
    sweep_id: SweepPath,
    form: FigureFormat,
    kind: Annotated[str | None, Query(json_schema_extra={"enum": [*SWEEP_KINDS, None]})] = None,
) -> Response:
    """A figure of the cells that are computed so far; its caption counts the others."""
    refuse_unknown(kind, SWEEP_KINDS)
    table = await _table(services, sweep_id)
    content = await services.in_thread(table.to_json)
    tag = tag_of(content, "figure", form, str(kind), renderer_version())
    if matches(request, tag):
        return not_modified(tag)
    try:
        arrays = await _arrays(services, table, NEEDED[kind]) if kind in NEEDED else None
        picture = await services.pictures.draw(
            tag, form, lambda: sweep_figure(table.rows, table.axes, kind=kind, replicate=table.replicate, arrays=arrays)
        )
    except FigureError as error:
        raise undrawable(error, kind) from None
    return tagged(picture, tag, MEDIA_TYPES[form])


async def _arrays(services: Services, table: SweepTable, wanted: frozenset[str]) -> dict[str, dict[str, NDArray[Any]]]:
    """Arrays of the finished cells, by id. Raises FigureError when there are too many to draw."""
    finished = [str(row["id"]) for row in table.rows if row["outcome"] is not None]
    refuse_too_many(len(finished))
    return await services.run_in_thread(downloads.of_cells(finished, wanted))


async def _table(services: Services, sweep_id: str) -> SweepTable:
    record = await read_sweep(services, sweep_id)
    return await services.run_in_thread(_assembled(record))


def _assembled(record: SweepRecord) -> Operation[SweepTable]:
    found = yield from cells.read(record.cells)
    labels = Labels.decode(record.document["labels"])
    rows = []
    with resting():
        for k, (identity, cell) in enumerate(zip(record.cells, found, strict=True)):
            result = json.loads(cell.document) if cell.document else None
            status = cell.status.value if cell.status else MISSING
            rows.append(row(identity, status, labels.values(k), labels.columns, result, cell.error))
    return SweepTable(record.id, tuple(labels.columns.values()), labels.replicate, rows)


def _conditional(request: Request, content: bytes, media_type: str) -> Response:
    tag = tag_of(content)
    return not_modified(tag) if matches(request, tag) else tagged(content, tag, media_type)
