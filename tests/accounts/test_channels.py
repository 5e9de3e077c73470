"""The console's page about the ways to people: what is on, in which order, how fast, and who is not written to."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry, User
from amplify.brands.models import Brand
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.core.web import Amplify
from amplify.delivery import endpoints
from amplify.delivery.models import Endpoint, Message
from amplify.delivery.sending import send_batch
from amplify.delivery.services import suppress
from tests.client import Client
from tests.delivery.receivers import Program, receiving
from tests.delivery.twilio import ACCOUNT, SENDER
from tests.world import a_brand, a_user

PAGE = "/console/channels"


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_brand(session)


@pytest.fixture
def admin(session: Session, brand: Brand, client: Client) -> User:
    user = a_user(session, brand)
    client.sign_in(user)
    return user


def form(**changes: str) -> dict[str, str]:
    places = {"place_email": "2", "place_webpush": "1", "place_sms": "0", "place_webhook": "0"}
    limits = {"limit_email": "600", "limit_webpush": "", "limit_sms": "", "limit_webhook": "0"}
    pacing = {
        "quiet_from_hour": "22",
        "quiet_until_hour": "7",
        "cap_messages": "3",
        "cap_days": "14",
        "sms_thousand_minor": "830",
    }
    return places | limits | pacing | changes


@pytest.mark.usefixtures("admin")
def test_what_is_saved_holds_is_shown_again_and_logged_once(session: Session, brand: Brand, client: Client) -> None:
    for _ in range(2):
        assert client.post_form(PAGE, form()).status_code == 303
    session.refresh(brand)
    assert (brand.channel_order, brand.per_minute) == (["webpush", "email"], {"email": 600})
    kept = brand.quiet_from_hour, brand.quiet_until_hour, brand.cap_messages, brand.cap_days
    assert kept == (22, 7, 3, 14)
    page = client.get(PAGE).text
    assert 'name="limit_email" type="number" value="600"' in " ".join(page.split())
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "channels.changed")).one()
    assert entry.detail["channel_order"] == {"before": ["email", "webpush"], "after": ["webpush", "email"]}


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("quiet_from_hour", "24", "between 0 and 23"),
        ("cap_days", "0", "between 1 and 365"),
        ("limit_email", "1000001", "between 0 and 1000000"),
        ("limit_email", "many", "Not a valid integer"),
        ("place_email", "9", "Not a valid choice"),
    ],
)
def test_a_mistake_is_shown_and_nothing_is_saved(
    session: Session, brand: Brand, client: Client, field: str, value: str, says: str
) -> None:
    answer = client.post_form(PAGE, form(**{field: value}))
    assert answer.status_code == 422
    assert says in answer.text
    session.refresh(brand)
    assert brand.channel_order == ["email", "webpush"]


@pytest.mark.usefixtures("admin")
def test_a_brand_keeps_one_way_at_least(session: Session, brand: Brand, client: Client) -> None:
    off = {f"place_{way}": "0" for way in ("email", "webpush", "webhook")}
    answer = client.post_form(PAGE, form(**off))
    assert (answer.status_code, "Name at least one way" in answer.text) == (422, True)
    session.refresh(brand)
    assert brand.quiet_from_hour == 0


def test_a_program_is_added_tried_and_removed(
    session: Session, admin: User, brand: Brand, client: Client, settings: Settings
) -> None:
    program = Program()
    with receiving(program):
        page = client.post_form(f"{PAGE}/programs", {"url": program.url}).text
        program.secret = page.partition('id="secret">')[2].partition("<")[0]
        assert program.secret.startswith("whsec_")
        assert program.secret not in client.get(PAGE).text
        assert client.post_form(f"{PAGE}/test", {"channel": "webhook"}).status_code == 303
        send_all(session, settings)
        assert [said["type"] for said in program.took] == ["message.channel_test"]
    endpoint = session.scalars(sa.select(Endpoint)).one()
    assert client.post_form(f"{PAGE}/programs/{endpoint.id}/removal").status_code == 303
    session.refresh(endpoint)
    assert (endpoint.is_open, endpoint.ended_reason) == (False, "removed")
    assert json.dumps(endpoint.sealed).count(program.secret) == 0


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("url", ["", "ftp://x", "https://10.0.0.1/in", "not an address"])
def test_an_address_that_is_not_called_is_refused_at_its_field(session: Session, client: Client, url: str) -> None:
    answer = client.post_form(f"{PAGE}/programs", {"url": url})
    assert (answer.status_code, "public address" in answer.text) == (422, True)
    assert session.scalars(sa.select(Endpoint)).all() == []


def test_a_test_goes_to_oneself_in_ones_own_language(
    session: Session, admin: User, client: Client, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    admin.locale = "es"
    client.post_form(f"{PAGE}/test", {"channel": "email"})
    send_all(session, settings)
    said = capsys.readouterr().out
    assert f"To: {admin.email}" in said
    assert "Si lo puedes leer" in said


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("channel", ["webhook", "webpush", "pigeon", ""])
def test_a_test_that_reaches_nobody_says_so(session: Session, client: Client, channel: str) -> None:
    answer = client.post_form(f"{PAGE}/test", {"channel": channel}, follow_redirects=True)
    assert answer.status_code == 200
    assert "notice error" in answer.text
    assert session.scalars(sa.select(Message)).all() == []


@pytest.mark.usefixtures("admin")
def test_who_is_not_written_to_is_counted_looked_up_and_a_file(session: Session, brand: Brand, client: Client) -> None:
    suppress(session, brand.id, "ana@friends.example", "bounced")
    suppress(session, a_brand(session, "other").id, "ben@friends.example", "complained")
    found = client.get(f"{PAGE}?address=Ana@friends.example").text
    assert "gets no marketing mail since" in found
    assert "the mailbox does not exist" in found
    assert "Nothing stands against" in client.get(f"{PAGE}?address=ben@friends.example").text
    lines = client.get(f"{PAGE}/suppressions.csv").text.splitlines()
    assert [line.split(",")[1] for line in lines] == ["reason", "bounced"]
    assert "ana@" not in "".join(lines)


def test_only_admins_change_the_ways_and_only_their_own_brands(
    session: Session, brand: Brand, client: Client, settings: Settings
) -> None:
    client.sign_in(a_user(session, brand, "marketer"))
    assert client.get(PAGE).status_code == 403
    assert client.post_form(PAGE, form()).status_code == 403
    other = a_brand(session, "other")
    theirs, _secret = endpoints.add_webhook(session, other.id, "https://hooks.example.com/in", settings.secret)
    client.sign_in(a_user(session, brand, "admin"))
    assert client.post_form(f"{PAGE}/programs/{theirs.id}/removal").status_code == 404
    session.refresh(theirs)
    assert theirs.is_open


def send_all(session: Session, settings: Settings) -> Any:
    session.commit()
    send_batch(db.sessionmaker, settings, list(session.scalars(sa.select(Message.id))))
    session.expire_all()


@pytest.mark.usefixtures("admin")
def test_text_messages_are_turned_on_only_where_there_is_an_account(
    session: Session, brand: Brand, client: Client, app: APIFlask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = client.post_form(PAGE, form(place_sms="3"))
    assert (answer.status_code, "has set no account" in answer.text) == (422, True)
    monkeypatch.setitem(app.extensions, "amplify", Amplify(settings.model_copy(update=ACCOUNT)))
    assert client.post_form(PAGE, form(place_sms="3")).status_code == 303
    session.refresh(brand)
    assert (brand.channel_order, brand.sms_thousand_minor) == (["webpush", "email", "sms"], 830)
    page = client.get(PAGE).text
    assert SENDER in page
    assert "http://localhost/in/channels/sms" in page


@pytest.mark.usefixtures("admin")
def test_a_number_is_looked_up_however_it_is_written(session: Session, brand: Brand, client: Client) -> None:
    suppress(session, brand.id, "+34600123456", "unsubscribed")
    assert "gets no marketing mail since" in client.get(PAGE, query_string={"address": "+34 600 12 34 56"}).text
