"""What the accounts floor installs into the application: sign-in by Flask-Security, form tokens, limits, the guard."""

from datetime import timedelta
from typing import Any

from babel.support import Translations
from flask import Flask, Response, session
from flask_limiter import Limiter
from flask_login import user_logged_out
from flask_security import FSQLALiteUserDatastore, Security, user_authenticated
from flask_wtf.csrf import CSRFError, CSRFProtect

from amplify.accounts import bounce_intake, channel_views, guard, limits, sessions
from amplify.accounts.mail import StaffMail
from amplify.accounts.models import Role, User
from amplify.core import clock
from amplify.core.db import db
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.problems import Problem, answer
from amplify.core.security import ROLES, Access
from amplify.core.settings import Settings

PASSWORD_LENGTH = 12

# Test passwords need no strength: the cheapest parameters that argon2 takes.
QUICK_HASH = {"argon2__time_cost": 1, "argon2__memory_cost": 8, "argon2__parallelism": 1}

CONFIG: dict[str, Any] = {
    "SECURITY_CHANGEABLE": True,
    "SECURITY_RECOVERABLE": True,
    "SECURITY_REGISTERABLE": False,
    "SECURITY_CHANGE_URL": "/console/password",
    "SECURITY_POST_LOGIN_VIEW": "/console",
    "SECURITY_POST_LOGOUT_VIEW": "/login",
    "SECURITY_POST_CHANGE_VIEW": "/console",
    "SECURITY_POST_RESET_VIEW": "/login",
    "SECURITY_FRESHNESS": timedelta(seconds=-1),
    "SECURITY_MSG_GENERIC_AUTHN_FAILED": (_l("The address or the password is not right."), "error"),
    "SECURITY_MSG_PASSWORD_RESET_REQUEST": (
        _l("If this address has an account, a mail with a link is on its way."),
        "info",
    ),
    "SECURITY_LOGOUT_CSRF": True,
    "SECURITY_LOGOUT_METHODS": ["POST"],
    # The same answer whether an address is known or not.
    "SECURITY_RETURN_GENERIC_RESPONSES": True,
    "SECURITY_RESET_PASSWORD_WITHIN": timedelta(days=1),  # an invitation too
    "SECURITY_PASSWORD_LENGTH_MIN": PASSWORD_LENGTH,
    "SECURITY_PASSWORD_HASH": "argon2",
    "SECURITY_PASSWORD_SCHEMES": ["argon2"],
    "SECURITY_DEPRECATED_PASSWORD_SCHEMES": [],
    # Our mail floor renders its own templates.
    "SECURITY_EMAIL_PLAINTEXT": False,
    "SECURITY_EMAIL_HTML": False,
    "SECURITY_DEFAULT_REMEMBER_ME": False,
    "SECURITY_CLI_USERS_NAME": None,
    "SECURITY_CLI_ROLES_NAME": None,
    "SECURITY_STATIC_FOLDER": None,
    "SECURITY_CACHE_CONTROL": None,  # the guard says it, for every private page
    "WTF_CSRF_CHECK_DEFAULT": False,  # the guard checks, once, for every route
    "WTF_CSRF_TIME_LIMIT": None,  # as long as the session: a survey page may stay open for days
    "WTF_CSRF_SSL_STRICT": False,  # the token is enough; some browsers send no referrer
    "PERMANENT_SESSION_LIFETIME": sessions.LENGTH,
}

# Flask-Security's pages are for everybody, but for these.
STATED = {"security.change_password": Access("staff", ROLES)}


def install(app: Flask) -> None:
    """Flask-Security, CSRF, limits and the guard, in this order."""
    settings: Settings = app.extensions["amplify"].settings
    app.config.from_mapping(CONFIG)
    app.config["SECURITY_PASSWORD_SALT"] = settings.secret
    app.config["SECURITY_DATETIME_FACTORY"] = clock.now
    app.config["SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS"] = QUICK_HASH if settings.env == "test" else {}
    app.config["COUNT_REQUESTS"] = settings.env != "test"
    CSRFProtect(app)
    _install_limiter(app, limits.limiter)
    _install_security(app)
    guard.install(app)
    app.register_error_handler(CSRFError, _of_csrf)
    app.register_blueprint(bounce_intake.blueprint)
    app.register_blueprint(channel_views.blueprint)


def _install_limiter(app: Flask, limiter: Limiter) -> None:
    limiter.init_app(app)
    # Only its counters are used: the guard knows which route is limited by what.
    app.before_request_funcs[None] = [f for f in app.before_request_funcs[None] if f.__module__ != Limiter.__module__]


def _install_security(app: Flask) -> None:
    security = Security(app, FSQLALiteUserDatastore(db, User, Role), mail_util_cls=StaffMail)
    # Only sessions sign staff in; machines have API keys. So no tokens in queries, headers or bodies,
    # and no look-up of anybody before the guard asks for it.
    security.login_manager.request_loader(lambda _request: None)
    security.principal.identity_loaders.clear()
    security.want_json(lambda _request: False)
    _check_sign_in(security)
    _speak_spanish(security)
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith("security."):
            vars(view)["access"] = STATED.get(endpoint, Access("public"))
    user_authenticated.connect(_begin_sign_in, app)
    user_logged_out.connect(_end_sign_in, app)


def _check_sign_in(security: Security) -> None:
    """A cookie whose sign-in has ended belongs to nobody, on every page."""
    by_cookie = security.login_manager._user_callback

    def load(user_id: str) -> User | None:
        user: User | None = by_cookie(user_id)
        alive = user is not None and sessions.is_alive(db.session, user, str(session.get("sign_in", "")))
        return user if alive else None

    security.login_manager.user_loader(load)


def _speak_spanish(security: Security) -> None:
    """Flask-Security ships its Spanish as es_ES, which Babel does not find for plain "es"."""
    domain = security.i18n_domain
    catalogue = Translations.load(domain.translation_directories[0], ["es_ES"], domain.domain[0])
    domain.cache["es", domain.domain[0]] = catalogue


def _begin_sign_in(_app: Flask, user: User, **_extra: Any) -> None:
    """A new sign-in; nothing that was in the cookie before it survives, least of all its form token."""
    for name in [name for name in session if name not in ("_user_id", "_fresh", "_id", "fs_cc", "fs_paa")]:
        session.pop(name)
    session["sign_in"] = sessions.begin(db.session, user)
    session.permanent = True
    db.session.commit()


def _end_sign_in(_app: Flask, **_extra: Any) -> None:
    sessions.end(db.session, str(session.pop("sign_in", "")))
    db.session.commit()


def _of_csrf(_error: CSRFError) -> Response:
    detail = _("The page was open for too long, or its form came from elsewhere. Reload it and send it again.")
    return answer(Problem(400, "form-token", detail, rule="csrf"))
