"""Flask-Security's mail (reset a password, a password was changed) goes out like every other message of ours."""

from typing import Any

from flask import url_for
from flask_security import MailUtil

from amplify.accounts.models import User
from amplify.core.db import db
from amplify.core.web import amplify


class StaffMail(MailUtil):  # type: ignore[misc]
    """Queues a message instead of talking to a server inside the request."""

    def send_mail(
        self, template: str, subject: str, recipient: Any, sender: Any, body: Any, html: Any, **context: Any
    ) -> None:
        """`template` is Flask-Security's name, e.g. "security/email/reset_instructions"; ours has the last part as its name."""
        from amplify.delivery.services import queue_message

        user: User = context["user"]
        queue_message(
            db.session,
            user.brand,
            template=f"staff_{template.rsplit('/', 1)[-1]}",
            address=user.email,
            locale=user.locale,
            context={"name": user.name, **_link(context)},
            is_marketing=False,
        )
        db.session.commit()


def _link(context: dict[str, Any]) -> dict[str, str]:
    """The reset link on the configured address: a request's Host header has no say in mail."""
    token = context.get("reset_token")
    if not token:
        return {}
    return {"link": amplify().settings.base_url + url_for("security.reset_password", token=token)}
