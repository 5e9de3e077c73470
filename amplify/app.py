"""Builds the web application: settings in, one plain WSGI callable out."""

from importlib import import_module
from importlib.util import find_spec
from inspect import iscoroutinefunction
from typing import Any

from apiflask import APIFlask
from flask import Flask, request

from amplify import __version__, wiring
from amplify.core import api_docs, boundary, headers, health, metrics, openapi, paths, problems, ui
from amplify.core import db as database
from amplify.core.db import db
from amplify.core.i18n import babel, choose_language, remember_language
from amplify.core.security import access_of, public
from amplify.core.settings import Settings, load
from amplify.core.web import Amplify

FEATURES = (
    "brands",
    "delivery",
    "accounts",
    "customers",
    "surveys",
    "campaigns",
    "sharing",
    "asks",
    "tracking",
    "fraud",
    "leaderboards",
    "rewards",
    "insights",
)


def create_app(settings: Settings | None = None) -> APIFlask:
    """The application for these settings (those in force if none are given)."""
    settings = settings or load()
    app = APIFlask(
        "amplify",
        title="Amplify API",
        version=__version__,
        template_folder=str(paths.TEMPLATES),
        static_folder=str(paths.STATIC),
        docs_path=None,
        spec_path="/api/v1/openapi.json",
        json_errors=False,
    )
    app.extensions["amplify"] = installation = Amplify(settings)
    app.config.from_mapping(_config(settings))
    db.init_app(app)
    babel.init_app(app, locale_selector=choose_language, timezone_selector=lambda: "UTC")
    ui.init_app(app)
    _install_frame(app, settings)
    _install_features(app)
    _drop_async_teardowns(app)
    wiring.install(installation.signer)
    return app


def _drop_async_teardowns(app: Flask) -> None:
    """The database extension closes asynchronous sessions too, which we have none of.

    To run it, Flask starts a thread and an event loop at the end of every request: a millisecond and more.
    """
    ends = app.teardown_appcontext_funcs
    ends[:] = [end for end in ends if not iscoroutinefunction(end)]


def _config(settings: Settings) -> dict[str, Any]:
    https = settings.base_url.startswith("https://")
    return {
        "TESTING": settings.env == "test",
        "SECRET_KEY": settings.secret,
        "SQLALCHEMY_ENGINES": {"default": settings.database},
        "MAX_CONTENT_LENGTH": settings.max_body_bytes,
        "MAX_FORM_MEMORY_SIZE": settings.max_body_bytes,
        "SESSION_COOKIE_NAME": "__Host-session" if https else "session",
        "SESSION_COOKIE_SECURE": https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_REFRESH_EACH_REQUEST": False,
        "TRUSTED_HOSTS": settings.hosts,
        "PREFERRED_URL_SCHEME": "https" if https else "http",
        "BABEL_TRANSLATION_DIRECTORIES": str(paths.LOCALES),
        # A test sees the answer that a person would see, not the exception behind it.
        "PROPAGATE_EXCEPTIONS": False,
    }


def _install_frame(app: APIFlask, settings: Settings) -> None:
    """What surrounds every route, whatever the feature."""
    _choose_transaction_kind(app)
    headers.install(app, settings)
    boundary.install(app)
    problems.install(app)
    openapi.install(app)
    api_docs.install(app)
    metrics.install(app)
    app.register_blueprint(health.blueprint)
    app.after_request(remember_language)
    public()(app.view_functions["static"])


def _choose_transaction_kind(app: Flask) -> None:
    """A GET only reads, unless its view says that it writes; on SQLite a reader does not queue behind writers."""

    @app.before_request
    def choose() -> None:
        access = access_of(app.view_functions.get(request.endpoint or ""))
        writes = bool(access and access.writes)
        database.set_reading(request.method in ("GET", "HEAD", "OPTIONS") and not writes)

    @app.teardown_request
    def reset(_error: BaseException | None) -> None:
        database.set_reading(False)


def _install_features(app: APIFlask) -> None:
    """Every feature brings what it has: `install(app)` of its web.py, then its pages, then its resources."""
    for feature in FEATURES:
        for module in ("web", "views", "api"):
            name = f"amplify.{feature}.{module}"
            if find_spec(name) is None:
                continue
            room = import_module(name)
            if hasattr(room, "install"):
                room.install(app)
            if hasattr(room, "blueprint"):
                app.register_blueprint(room.blueprint)
