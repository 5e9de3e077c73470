"""Before every request: who calls, may they, is the form ours. A route that states nothing is refused."""

from typing import Any

from flask import Flask, Response, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from amplify.accounts import api_keys, limits
from amplify.core import nav
from amplify.core.boundary import check_form, read_body
from amplify.core.db import db, reading
from amplify.core.errors import Forbidden, Unauthorized, Unsupported
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.problems import is_machine
from amplify.core.security import Access, access_of
from amplify.core.web import amplify

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


def check() -> ResponseReturnValue | None:
    """Lets the request through, answers it, or raises Unauthorized, Forbidden, TooMany, Malformed."""
    if request.endpoint is None or request.routing_exception is not None:
        return None  # 404 and 405 answer themselves
    access = access_of(current_app.view_functions[request.endpoint])
    if access is None:
        raise Forbidden(_l("This address states nobody who may use it."), rule="no-access-stated")
    refusal = _identify(access)
    if refusal is not None:
        return refusal
    limits.check(access)
    if request.method in UNSAFE:
        _take_body(access)
    return None


def _identify(access: Access) -> ResponseReturnValue | None:
    """Who calls is looked up in a transaction of its own: a slow body must not keep the writer's lock of SQLite."""
    if access.kind == "api":
        with reading():
            key = api_keys.authenticate(db.session, request.headers.get("Authorization", ""))
            g.brand, g.actor = key.brand, f"key:{key.prefix}"
            db.session.commit()
        api_keys.require_scope(key, access.names[0])
    elif access.kind == "staff":
        with reading():
            signed_in = bool(current_user.is_authenticated)
            db.session.commit()
        if not signed_in:
            return _ask_to_sign_in()
        _enter_as_staff(access)
    return None


def _enter_as_staff(access: Access) -> None:
    g.brand, g.actor = current_user.brand, f"user:{current_user.id}"
    if not request.cookies.get("lang"):
        g.language = current_user.locale
    if not current_user.role_names & set(access.names):
        raise Forbidden(_l("Your role does not include this page."), rule="role")


def _ask_to_sign_in() -> ResponseReturnValue:
    wanted = request.full_path.rstrip("?") if request.method in ("GET", "HEAD") else None
    address = url_for("security.login", next=wanted)
    if request.headers.get("HX-Request"):
        return "", 401, {"HX-Redirect": address}
    if is_machine() or request.method in UNSAFE:
        raise Unauthorized(_l("Sign in first."), rule="sign-in")
    return redirect(address)


def _take_body(access: Access) -> None:
    """The whole body is here, bounded and clean, and carries our token if it must."""
    if access.large_body:
        request.max_content_length = amplify().settings.max_import_bytes
        request.max_form_memory_size = amplify().settings.max_body_bytes
    if access.kind in ("api", "signed"):
        read_body(request)
        return
    if request.is_json and request.blueprint == "security":
        raise Unsupported(_l("Please use the form."), rule="content-type")
    check_form()
    if access.csrf:
        current_app.extensions["csrf"].protect()


def keep_private(response: Response) -> Response:
    """What only some may see is kept by no cache, unless the view says otherwise."""
    access = access_of(current_app.view_functions.get(request.endpoint or ""))
    private = request.blueprint == "security" or (access is not None and access.kind != "public")
    if private and "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "private, no-store"
    return response


def page_context() -> dict[str, Any]:
    """What every template may use: the brand, whether its data are made up, and staff's menu."""
    brand, actor = g.get("brand"), str(g.get("actor", ""))
    entries = nav.menu(current_user.role_names) if actor.startswith("user:") else []
    return {"brand": brand, "demo": bool(brand and brand.is_demo), "nav": entries}


def install(app: Flask) -> None:
    """Put the guard in front of every route."""
    app.before_request(check)
    app.after_request(keep_private)
    app.context_processor(page_context)
