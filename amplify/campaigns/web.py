"""Campaigns bring three blueprints: the always-on campaign (views.py), the calendar, and the exclusion lists."""

from flask import Flask

from amplify.campaigns import calendar_views, exclusion_views


def install(app: Flask) -> None:
    """Once, when the application is built."""
    app.register_blueprint(calendar_views.blueprint)
    app.register_blueprint(exclusion_views.blueprint)
