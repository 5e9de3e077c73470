"""Leaderboards bring the board (views.py), appeals, rates, rules, links to boards and what they show."""

from flask import Flask

from amplify.leaderboards import (
    appeal_console,
    appeal_views,
    history_views,
    link_views,
    rate_views,
    reveal_views,
    scoring_views,
    shared_views,
)


def install(app: Flask) -> None:
    """Once, when the application is built."""
    app.register_blueprint(appeal_views.blueprint)
    app.register_blueprint(appeal_console.blueprint)
    app.register_blueprint(history_views.blueprint)
    app.register_blueprint(link_views.blueprint)
    app.register_blueprint(reveal_views.blueprint)
    app.register_blueprint(shared_views.blueprint)
    app.register_blueprint(rate_views.blueprint)
    app.register_blueprint(scoring_views.blueprint)
