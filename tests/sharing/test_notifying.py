"""Notifications on the share page: a browser that asks is remembered, sealed; what is none is refused."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.settings import Settings
from amplify.customers.services import erase
from amplify.delivery import endpoints, vapid
from amplify.delivery.models import Endpoint
from amplify.sharing.tokens import Visit
from tests.client import Client
from tests.delivery.receivers import PushService
from tests.sharing.making import a_live_brand, a_visit, token_of


@pytest.fixture
def visit(session: Session) -> Visit:
    visit = a_visit(session, a_live_brand(session), "Lovely.")
    session.commit()
    return visit


def told(url: str = "https://push.example.com/abc", **more: Any) -> dict[str, Any]:
    service = PushService()
    keys = {name: service.subscription[name] for name in ("p256dh", "auth")}
    return {"endpoint": url, "expirationTime": None, "keys": keys, **more}


def test_the_page_offers_it_with_the_installations_key(client: Client, visit: Visit, settings: Settings) -> None:
    client.post(f"/share/{token_of(visit)}/open/copy", data={"words": "Lovely."})
    page = client.get(f"/share/{token_of(visit)}").get_data(as_text=True)
    assert f'data-key="{vapid.keys(settings.secret).public}"' in page
    assert "data-push=" in page


def test_a_browser_that_asks_is_kept_sealed_and_once(
    session: Session, client: Client, visit: Visit, settings: Settings
) -> None:
    said = told()
    for _ in range(2):
        assert client.post(f"/share/{token_of(visit)}/notify", json=said).status_code == 204
    (kept,) = session.scalars(sa.select(Endpoint))
    customer = visit.advocate.customer
    assert customer is not None
    assert (kept.person, kept.channel, kept.shown) == (customer.person, "webpush", "push.example.com")
    assert "push.example.com/abc" not in kept.sealed
    opened = endpoints.opened(kept, settings.secret)
    assert opened is not None
    assert opened["endpoint"] == said["endpoint"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"endpoint": "https://10.0.0.1/abc"}, "endpoint"),
        ({"endpoint": "ftp://push.example.com"}, "endpoint"),
        ({"endpoint": ""}, "endpoint"),
        ({"keys": {"p256dh": "AAAA", "auth": "AAAA"}}, "keys"),
        ({"keys": {"p256dh": "AAAA"}}, "keys.auth"),
        ({"keys": {"p256dh": "<b>", "auth": "AAAA"}}, "keys.p256dh"),
    ],
)
def test_what_is_no_subscription_is_refused_by_name(
    session: Session, client: Client, visit: Visit, changes: dict[str, Any], field: str
) -> None:
    answer = client.post(f"/share/{token_of(visit)}/notify", json=told(**changes))
    assert answer.status_code == 422
    assert field in answer.get_data(as_text=True)
    assert session.scalar(sa.select(Endpoint)) is None


def test_erasing_a_person_takes_their_browsers_away(session: Session, client: Client, visit: Visit) -> None:
    token = token_of(visit)
    client.post(f"/share/{token}/notify", json=told())
    assert visit.advocate.customer is not None
    erase(session, visit.advocate.customer, "system")
    kept = session.scalars(sa.select(Endpoint).execution_options(populate_existing=True)).one()
    assert (kept.sealed, kept.shown, kept.is_open) == ("", "", False)
    assert client.post(f"/share/{token}/notify", json=told()).status_code == 410
