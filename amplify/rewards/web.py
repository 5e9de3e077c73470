"""Rewards bring blueprints: the campaign pages (views.py), those about what is given and about giving it; the page of
deliveries; and an advocate's own rewards."""

from flask import Flask

from amplify.rewards import api, delivery_views, giving_views, own_views, result_views
from amplify.rewards.claims import opened
from amplify.rewards.friends import api as friends_api
from amplify.rewards.friends import views as friends_views


def install(app: Flask) -> None:
    """Once, when the application is built."""
    for module in (result_views, giving_views, delivery_views, friends_views, own_views):
        app.register_blueprint(module.blueprint)
    for blueprint in (api.postback, friends_api.blueprint, friends_api.postback):
        app.register_blueprint(blueprint)
    app.add_template_filter(opened, "opened")
