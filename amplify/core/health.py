"""For machines that watch machines: /healthz (the process answers), /readyz (it can do its work), /metrics."""

from typing import Any

import sqlalchemy as sa
import structlog
from flask import Blueprint, Response, abort, jsonify, request

from amplify import __version__
from amplify.core import leases, metrics, schema, wal
from amplify.core.db import db
from amplify.core.security import public
from amplify.core.tokens import same
from amplify.core.web import amplify

blueprint = Blueprint("health", __name__)

log = structlog.get_logger(__name__)


@blueprint.get("/healthz")
@public(limited=False)
def healthz() -> Response:
    """The process is there and answers; nothing else is asked."""
    return _fresh({"ok": True})


@blueprint.get("/readyz")
@public(limited=False)
def readyz() -> tuple[Response, int]:
    """200 if the database answers and has the shape this code needs, else 503 and what an operator can do."""
    try:
        told = _readiness()
    except sa.exc.DBAPIError as error:
        log.warning("not ready", error=type(error).__name__)
        told = {"ok": False, "database": "away"}
    return _fresh(told), 200 if told["ok"] else 503


def _readiness() -> dict[str, Any]:
    told: dict[str, Any] = {"ok": False, "version": __version__, "database": db.engine.dialect.name}
    if not schema.is_current(db.engine):
        return told | {"migrations": "run: amplify db upgrade"}
    now = leases.database_now(db.session)
    alive = sum(until > now for until in leases.workers(db.session).values())
    if file := wal.file_of(amplify().settings.database):
        state = wal.state(file)
        told["sqlite"] = {"version": state.version, "checkpoints_by": state.by, "log_bytes": state.log_bytes}
    return told | {"ok": True, "migrations": "current", "workers": alive}


def _fresh(told: dict[str, Any]) -> Response:
    response = jsonify(told)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/metrics")
@public(limited=False)
def show_metrics() -> Response:
    """Prometheus' text format, for the bearer of `metrics_token`; without a token only outside production."""
    settings = amplify().settings
    given = request.authorization
    if settings.metrics_token:
        if given is None or given.type != "bearer" or not same(given.token or "", settings.metrics_token):
            abort(401)
    elif settings.env == "production":
        abort(404)
    body = metrics.exposition(db.session, wal.file_of(settings.database))
    return Response(
        body, content_type="text/plain; version=0.0.4; charset=utf-8", headers={"Cache-Control": "no-store"}
    )
