"""A board for people without an account: the page, the frame, the screen on a wall, and the same as files.

Its address holds a secret. What needs a password asks for it once and remembers the answer in a signed cookie of that
address only.
"""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from amplify.accounts import passwords
from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.db import db, set_reading
from amplify.core.errors import Forbidden, Gone, NotFound, Unauthorized
from amplify.core.headers import may_be_framed_by
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import public
from amplify.core.sheets import csv_response, xlsx_response
from amplify.core.web import amplify
from amplify.leaderboards import board_links, live
from amplify.leaderboards.api import shown_row
from amplify.leaderboards.board_links import Shown
from amplify.leaderboards.link_forms import PasswordForm
from amplify.leaderboards.models import BoardLink
from amplify.leaderboards.schemas import BoardOut
from amplify.leaderboards.scoring import in_force

blueprint = Blueprint("shared_board", __name__, url_prefix="/shared")

# A stream's address: the front keeps it open after the view below has said what it is about (see amplify.front).
STREAM_START, STREAM_END, FOLLOW = "/shared/", "/events", "x-follow"
PURPOSE = "board-link"
UNLOCKED_HOURS = 12
CACHE_SECONDS = 15
REFRESH_SECONDS = 10
COLUMNS = (
    _l("Rank"), _l("Advocate"), _l("Points now"), _l("Human clicks"), _l("All requests"), _l("Purchases"),
)  # fmt: skip


@blueprint.get("/<secret>")
@public()
def page(secret: str) -> ResponseReturnValue:
    """The board, or the question for its password."""
    link, now = _open(secret)
    if not _is_unlocked(link):
        return _ask(PasswordForm(formdata=None), secret)
    return _cached(link, _render("leaderboards/shared.html", secret, link, _shown(link, now)))


@blueprint.post("/<secret>")
@public(guesses=True)
def unlock(secret: str) -> ResponseReturnValue:
    """Try a password."""
    link, _now = _open(secret)
    form = PasswordForm()
    if not form.validate():
        return _ask(form, secret), 422
    if not passwords.is_right(form.password.data, link.password_hash or ""):
        form.password.errors = [*form.password.errors, _("The password is not right.")]
        return _ask(form, secret), 403
    answer = redirect(url_for(".page", secret=secret), 303)
    secure = request.is_secure or amplify().settings.base_url.startswith("https://")
    answer.set_cookie(
        _cookie(link), amplify().signer(PURPOSE).sign(link.id), max_age=UNLOCKED_HOURS * 3600,
        path=url_for(".page", secret=secret), secure=secure, httponly=True, samesite="Lax",
    )  # fmt: skip
    return answer


@blueprint.get("/<secret>/frame")
@public()
def frame(secret: str) -> Response:
    """The board for a page of the brand: only origins that the brand allows may show it."""
    link, now = _open(secret)
    if link.password_hash or not g.brand.frame_origins:
        raise Forbidden(_l("This board cannot stand in a frame."), rule="frame-origins")
    answer = _cached(link, _render("leaderboards/shared_frame.html", secret, link, _shown(link, now)))
    may_be_framed_by(g.brand.frame_origins)
    return answer


@blueprint.get("/<secret>/wall")
@public()
def wall(secret: str) -> Response:
    """The board for a large screen, which keeps itself up to date."""
    link, now = _opened(secret)
    return _cached(link, _render("leaderboards/wall.html", secret, link, _shown(link, now), refresh=REFRESH_SECONDS))


@blueprint.get("/<secret>/events")
@public()
def events(secret: str) -> Response:
    """What is on the board, as one event, unless the screen has seen just this.

    Complete in itself: where nothing keeps the stream open, the browser comes again after two seconds.
    """
    link, now = _opened(secret)
    picture = live.picture_of(_shown(link, now))
    has_seen = request.headers.get("Last-Event-ID") == picture.version
    answer = Response(live.OPENING + (b"" if has_seen else live.event(picture)), content_type="text/event-stream")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Accel-Buffering"] = "no"  # a proxy passes each event on at once
    answer.headers[FOLLOW] = f"{link.id}:{picture.version}"
    return answer


@blueprint.get("/<secret>/board.csv")
@public()
def as_csv(secret: str) -> Response:
    """The board for a spreadsheet."""
    link, now = _opened(secret)
    return _cached(link, csv_response("leaderboard", COLUMNS, _cells(_shown(link, now))))


@blueprint.get("/<secret>/board.xlsx")
@public()
def as_xlsx(secret: str) -> Response:
    """The board as a workbook."""
    link, now = _opened(secret)
    return _cached(link, xlsx_response("leaderboard", COLUMNS, _cells(_shown(link, now))))


@blueprint.get("/<secret>/board.json")
@public()
def as_json(secret: str) -> Response:
    """The board for a program, in the words of the API."""
    link, now = _opened(secret)
    shown = _shown(link, now)
    rules = in_force(db.session, g.brand.id)
    said = BoardOut(
        board=link.board.kind,
        window="all",
        half_life_days=rules.half_life_days,
        tie_rule=rules.tie_rule,
        left_out=[],
        ranked=shown.ranked,
        as_of=shown.as_of,
        rows=[shown_row(row) for row in shown.rows],
    )
    return _cached(link, Response(said.model_dump_json(), content_type="application/json"))


def _open(secret: str) -> tuple[BoardLink, datetime]:
    """The link and the time; the brand is set for the page, and now and then the use is noted."""
    now = clock.now()
    link = board_links.find_open(db.session, secret, now)
    if request.method == "GET" and board_links.is_use_due(link, now):
        _note_use(link, now)
    g.brand = db.session.get_one(Brand, link.brand_id)
    return link, now


def _note_use(link: BoardLink, now: datetime) -> None:
    """In a transaction of its own: readers of the board do not queue behind writers."""
    db.session.commit()
    set_reading(False)
    board_links.note_use(db.session, link, now)
    db.session.commit()
    set_reading(True)


def _opened(secret: str) -> tuple[BoardLink, datetime]:
    """As `_open`, for what cannot ask for a password. Raises Unauthorized."""
    link, now = _open(secret)
    if not _is_unlocked(link):
        raise Unauthorized(_l("Open the board's page and give its password first."), rule="board-password")
    return link, now


def _is_unlocked(link: BoardLink) -> bool:
    value = request.cookies.get(_cookie(link))
    if link.password_hash is None:
        return True
    try:
        return bool(value) and amplify().signer(PURPOSE).read(str(value), max_age_days=UNLOCKED_HOURS / 24) == link.id
    except (NotFound, Gone):
        return False


def _cookie(link: BoardLink) -> str:
    return f"board_{link.id}"


def _ask(form: PasswordForm, secret: str) -> Response:
    response = make_response(render_template("leaderboards/shared_password.html", form=form, secret=secret))
    response.headers["Cache-Control"] = "no-store"
    return _unlisted(response)


def _shown(link: BoardLink, now: datetime) -> Shown:
    return board_links.shown(db.session, link, now)


def _cells(shown: Shown) -> list[tuple[Any, ...]]:
    return [(r.rank, r.name, round(r.score, 2), r.human_clicks, r.raw_clicks, r.conversions) for r in shown.rows]


def _render(template: str, secret: str, link: BoardLink, shown: Shown, **more: Any) -> Response:
    return make_response(render_template(template, secret=secret, link=link, shown=shown, **more))


def _cached(link: BoardLink, response: Response) -> Response:
    """Kept for a moment, so that a crowd is no load; what has a password is kept by nobody."""
    kept = "private, no-store" if link.password_hash else f"public, max-age={CACHE_SECONDS}"
    response.headers["Cache-Control"] = kept
    response.vary.update(("Cookie", "Accept-Language"))
    return _unlisted(response)


def _unlisted(response: Response) -> Response:
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
