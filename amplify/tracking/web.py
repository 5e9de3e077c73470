"""Tracking brings the short link (views.py), its picture, the signed posts and the console's pages."""

from flask import Flask

from amplify.tracking import agent_views, card_views, console


def install(app: Flask) -> None:
    """Once, when the application is built."""
    app.register_blueprint(console.blueprint)
    app.register_blueprint(agent_views.blueprint)
    app.register_blueprint(card_views.blueprint)
