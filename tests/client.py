"""A browser without a screen: each request stands alone, forms carry their token, and staff can be signed in."""

import hashlib
import os
from typing import Any

from flask import current_app, has_app_context
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

from amplify.accounts import sessions
from amplify.accounts.models import User
from amplify.core.db import db


class Client(FlaskClient):
    """Every request gets an application context of its own, as in production, even inside a test that holds one.

    What the test has not committed is flushed before, and what it had read is read anew after.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        outside = has_app_context()
        if outside:
            db.session.flush()
        with self.application.app_context():
            response = super().open(*args, **kwargs)
            if not kwargs.get("buffered", False):
                response.get_data()
        if outside:
            db.session.expire_all()
        return response

    def csrf_token(self) -> str:
        """A form token that belongs to this client's session."""
        with self.application.app_context(), self.session_transaction() as cookie:
            cookie.setdefault("csrf_token", hashlib.sha256(os.urandom(16)).hexdigest())
            raw = cookie["csrf_token"]
        secret = self.application.config["SECRET_KEY"]
        return str(URLSafeTimedSerializer(secret, salt="wtf-csrf-token").dumps(raw))

    def post_form(self, path: str, data: dict[str, Any] | None = None, **kwargs: Any) -> TestResponse:
        """Send a form as a person would, with its token."""
        return self.post(path, data={**(data or {}), "csrf_token": self.csrf_token()}, **kwargs)

    def sign_in(self, user: User) -> None:
        """What a login leaves behind, without typing the password."""
        if not has_app_context() or current_app.extensions["amplify"] is not self.application.extensions["amplify"]:
            raise RuntimeError("sign_in needs the `session` fixture")
        secret = sessions.begin(db.session, user)
        with self.application.app_context(), self.session_transaction() as cookie:
            cookie.update({"_user_id": user.fs_uniquifier, "_fresh": True, "sign_in": secret})
            cookie.permanent = True
