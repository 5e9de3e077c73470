"""Answers over HTTP: the REST resources under /api/v1, and the posts that survey tools sign."""

from apiflask import APIBlueprint
from flask import Blueprint, Flask, g, request

from amplify.brands.services import brand_by_slug
from amplify.core.boundary import takes, takes_query
from amplify.core.db import db
from amplify.core.security import api, signed
from amplify.core.web import amplify
from amplify.surveys import intake, queries
from amplify.surveys.queries import Wanted
from amplify.surveys.schemas import AnswerIn, ResponseFilter, ResponseOut, ResponsePage
from amplify.surveys.source import source_named

blueprint = APIBlueprint("responses", __name__, url_prefix="/api/v1/responses", tag="Responses")
signed_posts = Blueprint("surveys_in", __name__, url_prefix="/in/<brand>/<key>/responses")

EXAMPLE = {
    "external_id": "order-10029",
    "given": 9,
    "comment": "The crew found my lost bag before I had noticed it was gone.",
    "customer": {"external_id": "c-77", "email": "ana@shop.example", "locale": "es", "consent": True},
    "business_line": "Long haul",
    "location": "Madrid",
    "answered_at": "2026-03-01T12:00:00Z",
}


def install(app: Flask) -> None:
    """The signed posts are no resources of the API, so they have a blueprint of their own."""
    app.register_blueprint(signed_posts)


@blueprint.post("")
@api("responses:write")
@takes(AnswerIn, example=EXAMPLE)
@blueprint.output(ResponseOut, status_code=201, description="Stored: it was not known.")
@blueprint.doc(
    summary="Store an answer",
    description="The same external id and revision with the same content is 200 and changes nothing; with other "
    "content it is 409. A higher revision replaces the earlier ones, which stay.",
    responses={200: "Known: nothing was changed."},
)
def store(body: AnswerIn) -> tuple[dict[str, object], int]:
    """Store an answer once."""
    source = g.actor.replace("key:", "api:", 1)
    (kept,) = intake.keep(g.brand, source, [body])
    return intake.shown(kept.response).model_dump(mode="json"), 201 if kept.is_new else 200


@blueprint.get("")
@api("responses:read")
@takes_query(ResponseFilter)
@blueprint.output(ResponsePage)
@blueprint.doc(summary="List answers", description="The latest revision of each answer, the newest stored first.")
def list_all(query: ResponseFilter) -> dict[str, object]:
    """A page of answers."""
    wanted = Wanted(**query.model_dump(exclude={"cursor", "limit"}))
    rows, cursor = queries.after_cursor(db.session, g.brand.id, wanted, cursor=query.cursor, limit=query.limit)
    page = ResponsePage(items=[intake.shown(row) for row in rows], next_cursor=str(cursor) if cursor else None)
    return page.model_dump(mode="json")


@blueprint.get("/<int:response_id>")
@api("responses:read")
@blueprint.output(ResponseOut)
@blueprint.doc(summary="One answer", description="In any revision, by the id that storing it gave.")
def one(response_id: int) -> dict[str, object]:
    """One answer."""
    return intake.shown(queries.response_of(db.session, g.brand.id, response_id)).model_dump(mode="json")


@signed_posts.post("")
@signed_posts.post("/<source>")
@signed()
def take(brand: str, key: str, source: str = "generic") -> tuple[dict[str, object], int]:
    """Answers that a survey tool signed: 201 if any is new, 200 if all were told before; then they are stored."""
    g.brand = brand_by_slug(db.session, brand)
    tool = source_named(source)
    tool.verify(db.session, g.brand, key, request, amplify().settings.secret)
    kept = intake.keep(g.brand, f"signed:{key}", tool.read(request))
    answer = {"stored": sum(k.is_new for k in kept), "ids": [k.response.id for k in kept]}
    return answer, 201 if answer["stored"] else 200
