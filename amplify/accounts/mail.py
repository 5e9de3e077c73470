"""Flask-Security's mail (reset a password, a password was changed) goes out like every other message of ours."""

from typing import Any

from flask import url_for
from flask_security import MailUtil
from flask_security.recoverable import generate_reset_password_token

from amplify.accounts.models import User
from amplify.core.db import db
from amplify.core.web import amplify
from amplify.delivery.services import queue_message


class StaffMail(MailUtil):
    """Queues a message instead of talking to a server inside the request, and asks no name server about an address."""

    def validate(self, email: str) -> str:
        """The address in its normal form; whether it takes mail shows when mail is sent."""
        return str(self.normalize(email))

    def send_mail(
        self, template: str, subject: str, recipient: Any, sender: Any, body: Any, html: Any, **context: Any
    ) -> None:
        """`template` "security/email/reset_instructions" is our "staff_reset_instructions"."""
        token = context.get("reset_token")
        _queue(context["user"], f"staff_{template.rsplit('/', 1)[-1]}", _reset_link(token) if token else "")
        db.session.commit()


def send_invitation(user: User) -> None:
    """The mail that lets a new member of staff choose a password. Leaves after the caller's commit."""
    _queue(user, "staff_invitation", _reset_link(str(generate_reset_password_token(user))))  # type: ignore[no-untyped-call]


def _queue(user: User, template: str, link: str) -> None:
    queue_message(
        db.session,
        user.brand,
        template=template,
        address=user.email,
        locale=user.locale,
        context={"name": user.name, "link": link},
        is_marketing=False,
    )


def _reset_link(token: str) -> str:
    """The link on the configured address: a request's Host header has no say in mail."""
    return amplify().settings.base_url + url_for("security.reset_password", token=token)
