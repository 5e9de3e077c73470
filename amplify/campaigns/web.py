"""Campaigns bring two blueprints: the always-on campaign (views.py), and the calendar."""

from flask import Flask

from amplify.campaigns import calendar_views


def install(app: Flask) -> None:
    """Once, when the application is built."""
    app.register_blueprint(calendar_views.blueprint)
