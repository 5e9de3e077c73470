"""The page on which an advocate reads which rewards they got or not, and why."""

from flask import Blueprint, Response, render_template

from amplify.core.db import db
from amplify.core.security import public
from amplify.leaderboards.visiting import private, visit_of
from amplify.rewards import own

blueprint = Blueprint("own_rewards", __name__)


@blueprint.get("/board/<token>/rewards")
@public()
def show(token: str) -> Response:
    """Never a code: whoever has the address of somebody's page must not be able to spend what is theirs."""
    told = own.told(db.session, visit_of(token).advocate)
    return private(render_template("rewards/own.html", token=token, told=told, states=own.STATES))
