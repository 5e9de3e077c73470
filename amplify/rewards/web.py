"""Rewards bring two blueprints: the campaign pages (views.py), and the pages about what is given."""

from flask import Flask

from amplify.rewards import result_views


def install(app: Flask) -> None:
    """Once, when the application is built."""
    app.register_blueprint(result_views.blueprint)
