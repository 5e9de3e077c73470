"""What people do with an ask, over HTTP: shown, opened and declined are separate facts."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.asks.models import Ask
from amplify.asks.services import next_step_for
from amplify.brands.models import Brand
from amplify.delivery.models import Message
from amplify.delivery.render import render
from tests.client import Client
from tests.sharing.making import SIGNER, a_live_brand, an_answer

BROWSER = {"User-Agent": "Mozilla/5.0 (iPhone)"}


def facts(session: Session) -> tuple[bool, bool, bool]:
    ask = session.scalars(sa.select(Ask)).one()
    return ask.shown_at is not None, ask.opened_at is not None, ask.declined_at is not None


@pytest.fixture
def page(session: Session) -> str:
    """The address of the share page that a hosted answer led to."""
    response = an_answer(session, a_live_brand(session), customer={"email": "ana@friends.example"})
    step = next_step_for(session, response, SIGNER)
    assert step is not None
    return step


@pytest.fixture
def mail(session: Session) -> Message:
    """The mail that an answer from elsewhere led to."""
    brand = a_live_brand(session)
    who = {"email": "ana@friends.example", "consent": True, "name": "Ana", "locale": "es"}
    an_answer(session, brand, source="signed:shop", comment="El mejor desayuno", customer=who)
    return session.scalars(sa.select(Message)).one()


def test_an_ask_on_the_page_is_shown_then_opened(session: Session, client: Client, page: str) -> None:
    assert facts(session) == (False, False, False)
    client.get(page)
    assert facts(session) == (True, False, False)
    client.post(f"{page}/open/x", data={"words": "hi"})
    assert facts(session) == (True, True, False)


def test_no_thanks_is_remembered_and_answered_kindly(session: Session, client: Client, page: str) -> None:
    client.get(page)
    answer = client.post(page.replace("/share/", "/ask/") + "/decline")
    assert "No problem at all" in answer.text
    assert facts(session) == (True, False, True)


def test_the_mails_button_leads_to_the_share_page_and_counts_as_opened(
    session: Session, client: Client, mail: Message
) -> None:
    path = mail.context["link"].removeprefix("http://localhost")
    assert facts(session) == (False, False, False)
    answer = client.get(path, headers=BROWSER)
    assert (answer.status_code, answer.location) == (303, path.replace("/ask/", "/share/"))
    assert facts(session) == (False, True, False)
    assert "El mejor desayuno" in client.get(answer.location).text


@pytest.mark.parametrize(
    ("method", "headers"),
    [("HEAD", BROWSER), ("GET", {**BROWSER, "Sec-Purpose": "prefetch"}), ("GET", {"User-Agent": ""})],
)
def test_a_look_ahead_by_a_machine_is_not_a_person_following_it(
    session: Session, client: Client, mail: Message, method: str, headers: dict[str, str]
) -> None:
    path = mail.context["link"].removeprefix("http://localhost")
    assert client.open(path, method=method, headers=headers).status_code == 303
    assert facts(session) == (False, False, False)


def test_a_forged_token_is_404(client: Client) -> None:
    assert client.get("/ask/x.y.z").status_code == 404
    assert client.post("/ask/x.y.z/decline").status_code == 404


def test_the_mail_speaks_the_customers_language_and_puts_the_disclosure_first(session: Session, mail: Message) -> None:
    brand = session.get_one(Brand, mail.brand_id)
    assert mail.locale == "es"
    mail.context = {**mail.context, "is_rewarded": True, "disclosure": "Publicidad: puedo recibir un premio."}
    rendered = render(mail, brand)
    assert rendered.text.startswith("Publicidad: puedo recibir un premio.")
    assert rendered.html.index("Publicidad: puedo") < rendered.html.index("El mejor desayuno")
    assert mail.context["link"] in rendered.text
    assert mail.context["link"] in rendered.html


def test_a_mail_without_a_comment_quotes_nothing(session: Session, mail: Message) -> None:
    mail.context = {**mail.context, "quote": ""}
    rendered = render(mail, session.get_one(Brand, mail.brand_id))
    assert "“" not in rendered.text
    assert "<blockquote" not in rendered.html
