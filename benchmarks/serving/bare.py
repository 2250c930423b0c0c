"""What FastAPI costs by itself: the same document validated by pydantic, the same answer, nothing stored.

python -m benchmarks.serving.bare PORT
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field

PATH = "/v1/experiments"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Dataset(_Strict):
    """The fields that the load sends."""

    kind: str
    dimension: int = Field(ge=1)
    samples: int = Field(ge=1)
    sparsity: int = Field(ge=1)
    seed: int


class Model(_Strict):
    """The same."""

    kind: str
    depth: int = Field(ge=2, le=6)


class Init(_Strict):
    """The same."""

    kind: str
    scale: float = Field(gt=0)
    shape: float = Field(gt=-1, lt=1)


class Experiment(_Strict):
    """The same."""

    dataset: Dataset
    model: Model
    init: Init


class Document(_Strict):
    """The same."""

    name: str | None = None
    experiment: Experiment


class Accepted(BaseModel):
    """As large as what the service answers."""

    id: str
    status: str
    links: dict[str, str]


def create_app() -> FastAPI:
    """One route."""
    app = FastAPI()

    @app.post(PATH, status_code=202)
    async def submit(document: Document, response: Response) -> Accepted:
        own = f"{PATH}/x-{document.experiment.dataset.seed:026d}"
        response.headers["Location"] = own
        names = ("result", "arrays.npz", "dataset.npz", "figure.png", "events", "cancel", "rerun")
        links = {"self": own} | {name: f"{own}/{name}" for name in names}
        return Accepted(id=own[-28:], status="queued", links=links)

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(), port=int(sys.argv[1]), access_log=False, log_level="warning", server_header=False)
