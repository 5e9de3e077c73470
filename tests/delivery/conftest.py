"""What the tests of messages begin with: a brand, a mail server, and short ways to order and to send."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.delivery import sending
from amplify.delivery.models import Message
from amplify.delivery.sending import Batch, send_batch
from amplify.delivery.services import queue_message
from tests.delivery.mailserver import MailServer, listening
from tests.world import a_brand

CONTEXT = {"name": "Ana", "quote": "Lovely.", "link": "https://a.example/ask/t", "link_days": 30, "is_rewarded": False}


@pytest.fixture(autouse=True)
def _nothing_known_of_the_other_side() -> None:
    sending._sizes.clear()


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_brand(session, postal_address="Acme\n1 Main Street")


@pytest.fixture
def mailserver() -> Iterator[MailServer]:
    with listening() as server:
        yield server


@pytest.fixture
def order(session: Session, brand: Brand) -> Callable[..., Message]:
    """order(address, ...) orders an ask mail."""

    def made(address: str = "ana@friends.example", **more: Any) -> Message:
        said = {"template": "ask", "locale": "en", "context": CONTEXT, **more}
        return queue_message(session, brand, address=address, **said)

    return made


@pytest.fixture
def send(session: Session, settings: Settings, mailserver: MailServer) -> Callable[..., Batch]:
    """send(messages) sends them to the mail server as one batch."""

    def sent(*messages: Message, **changes: Any) -> Batch:
        session.commit()
        given = {"mail": "smtp", "smtp_host": mailserver.host, "smtp_port": mailserver.port, **changes}
        batch = send_batch(db.sessionmaker, settings.model_copy(update=given), [m.id for m in messages])
        session.expire_all()
        return batch

    return sent
