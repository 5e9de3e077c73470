"""Rewards bring blueprints: the campaign pages (views.py), the pages about what is given, and those about giving it."""

from flask import Flask

from amplify.rewards import api, giving_views, result_views
from amplify.rewards.claims import opened


def install(app: Flask) -> None:
    """Once, when the application is built."""
    app.register_blueprint(result_views.blueprint)
    app.register_blueprint(giving_views.blueprint)
    app.register_blueprint(api.postback)
    app.add_template_filter(opened, "opened")
