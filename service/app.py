"""The app factory. Nothing happens at import: no connection, no Celery, no jax, no matplotlib."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from service import denials, errors, headers, openapi, reference, streaming
from service.cors import Cors
from service.head import Head
from service.loopback import LoopbackOnly
from service.metrics import Requests
from service.routers import (
    audit,
    batch,
    catalog,
    events,
    experiments,
    health,
    labels,
    me,
    metrics,
    problems,
    results,
    submission,
    sweeps,
    tables,
    tokens,
    uploads,
    webhooks,
)
from service.services import lifespan
from service.settings import Settings
from service.tracing import Tracing


def create_app(settings: Settings | None = None) -> FastAPI:
    """An app on the given settings, or on those of the environment."""
    settings = settings or Settings()
    app = FastAPI(
        title="initshape",
        version=version("initshape"),
        summary="Experiments on the implicit bias of initialization: simulated gradient flow beside theory's answer.",
        lifespan=lifespan,
        openapi_tags=openapi.TAGS,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.requests = Requests()
    app.state.release = lambda: None  # replaced by the lifespan: lets long polls go
    app.state.note_denial = denials.note
    errors.install(app)
    streaming.install(app)
    reference.install(app)
    every = (submission, experiments, labels, batch, events, results, sweeps, tables, uploads, webhooks, catalog, me,
             tokens, audit, health, metrics, problems)  # fmt: skip
    submission.install(app)  # first, for routes are tried in order
    for router in every:
        app.include_router(router.router)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    app.add_middleware(Head)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    if not settings.auth:
        app.add_middleware(LoopbackOnly)
    app.add_middleware(Tracing, requests=app.state.requests)  # last, for the last one is the outermost
    headers.install(app)
    return app
