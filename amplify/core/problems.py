"""Every error becomes an answer: RFC 9457 problem+json for machines, a kind page for people, never a trace."""

import dataclasses
import json
import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import escape
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from amplify.core.db import db
from amplify.core.errors import AmplifyError, Conflict, Fault, TooMany
from amplify.core.i18n import get_locale
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import access_of
from amplify.core.web import amplify

log = logging.getLogger(__name__)

# What went wrong, in words for people; a status without an entry has its standard phrase.
TITLES = {
    400: _l("We could not read that request."),
    401: _l("Please sign in first."),
    403: _l("You may not do this."),
    404: _l("There is nothing here."),
    405: _l("This address does not do that."),
    409: _l("That does not go together with what is already here."),
    410: _l("This has ended."),
    413: _l("That is too large."),
    415: _l("That kind of content is not read here."),
    422: _l("Something in there is not right."),
    429: _l("That was a bit much at once."),
    500: _l("Something broke on our side."),
    503: _l("We cannot do this right now."),
}


@dataclasses.dataclass
class Problem:
    """One error, ready to be shown. `detail` is a sentence for the caller."""

    status: int
    code: str
    detail: str
    field: str | None = None
    rule: str | None = None
    faults: tuple[Fault, ...] = ()
    headers: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def title(self) -> str:
        """What went wrong, in the reader's language."""
        return str(TITLES.get(self.status) or HTTPStatus(self.status).phrase)

    def as_json(self) -> dict[str, Any]:
        """RFC 9457 members, and ours: `field`, `rule`, `errors`."""
        found: dict[str, Any] = {
            "type": f"{amplify().settings.base_url}/api/docs#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.field:
            found["field"] = self.field
        if self.rule:
            found["rule"] = self.rule
        if self.faults:
            found["errors"] = [{"field": f.field, "rule": f.rule, "message": str(f.message)} for f in self.faults]
        return found


def is_machine() -> bool:
    """Whether the caller wants JSON: by address, by what it sent, or by what it accepts."""
    access = access_of(current_app.view_functions.get(request.endpoint or ""))
    if access and access.kind in ("api", "signed"):
        return True
    if request.path.startswith(("/api/", "/in/")) and request.path != "/api/docs":
        return True
    accepts = request.accept_mimetypes
    best = accepts.best_match(["text/html", "application/json", "application/problem+json"], "text/html")
    return best != "text/html" or (request.is_json and not accepts.accept_html)


def answer(problem: Problem) -> Response:
    """The response for this caller. What was not committed is undone."""
    _undo()
    if is_machine():
        response = Response(json.dumps(problem.as_json()), content_type="application/problem+json")
    else:
        response = Response(_page(problem), content_type="text/html; charset=utf-8")
        response.headers["Vary"] = "Accept"
    response.status_code = problem.status
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(problem.headers)
    return response


def _undo() -> None:
    try:
        db.session.rollback()
    except Exception:  # the database itself may be what failed; the answer must still go out
        log.warning("rollback failed", exc_info=True)


def _page(problem: Problem) -> str:
    try:
        return render_template("errors/page.html", problem=problem, status=problem.status)
    except Exception:
        # A page that cannot even be built (no such host, a broken template) is still a page.
        if problem.status < 500 and request.endpoint:
            log.exception("the error page failed")
        language = str(get_locale() or "en")
        lines = (f"<title>{escape(problem.title)}</title>", f"<h1>{escape(problem.title)}</h1>")
        return f'<!doctype html><html lang="{language}">{"".join(lines)}<p>{escape(problem.detail)}</p></html>'


def _of_ours(error: AmplifyError) -> Response:
    problem = Problem(
        error.status, error.code, str(error.message), field=error.field, rule=error.rule, faults=error.faults
    )
    if isinstance(error, TooMany):
        problem.headers["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        problem.headers["WWW-Authenticate"] = 'Bearer realm="Amplify"'
    return answer(problem)


def _of_http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if error.response is not None or status < 400:  # made by whoever raised it, such as a redirect
        return error.get_response(request.environ)
    phrase = HTTPStatus(status).phrase.lower().replace(" ", "-")
    problem = Problem(status, phrase, _detail(status, error))
    problem.headers = {k: v for k, v in error.get_headers() if k in ("Allow", "Retry-After", "WWW-Authenticate")}
    if isinstance(error, RequestEntityTooLarge):
        problem.field, problem.rule, problem.code = "body", "max-bytes", "too-large"
    return answer(problem)


def _detail(status: int, error: HTTPException) -> str:
    if status == 404:
        return str(_("The address may be mistyped, or what it led to is gone."))
    return str(error.description or "")


def _of_stale(error: StaleDataError) -> Response:
    message = _l("Somebody else changed this in the meantime. Look at it again, then repeat your change.")
    return _of_ours(Conflict(message, rule="changed-meanwhile"))


def _of_database(error: OperationalError) -> Response:
    log.exception("the database is not available")
    detail = _("Nothing was stored. Please try again in a moment.")
    return answer(Problem(503, "unavailable", detail, headers={"Retry-After": "5"}))


def _of_crash(error: Exception) -> Response:
    log.exception("unexpected error on %s", request.endpoint)
    return answer(Problem(500, "internal-error", _("It has been written down, and nothing was stored.")))


def install(app: Flask) -> None:
    """Handlers for everything that can be raised."""
    app.register_error_handler(AmplifyError, _of_ours)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(StaleDataError, _of_stale)
    app.register_error_handler(OperationalError, _of_database)
    app.register_error_handler(Exception, _of_crash)
