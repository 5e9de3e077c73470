"""The hosted survey: asked in the reader's language, stored once, led on; a GET stores nothing."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from amplify.accounts.models import AuditEntry
from amplify.brands.models import Brand, BusinessLine
from amplify.brands.services import ensure_business_line, ensure_location
from amplify.core.tokens import Signer
from amplify.core.web import Amplify
from amplify.customers.models import Customer
from amplify.customers.services import erase, find_or_create
from amplify.surveys import next_step
from amplify.surveys.events import SurveyAnswered
from amplify.surveys.links import PURPOSE, survey_token, survey_url
from amplify.surveys.models import Response, Survey
from amplify.surveys.services import ensure_survey
from tests.client import Client
from tests.world import a_brand

PAGE = "/b/acme/survey/visit"


@pytest.fixture
def survey(session: Session, brand: Brand) -> Survey:
    made = ensure_survey(session, brand, "visit", "After the visit")
    session.commit()
    return made


@pytest.fixture
def signer(app: Any) -> Signer:
    installation: Amplify = app.extensions["amplify"]
    return installation.signer(PURPOSE)


@pytest.fixture
def leads_nowhere() -> Iterator[None]:
    """Nobody knows a next step: everybody is thanked here."""
    before = list(next_step._finders)
    next_step.wire()
    yield
    next_step.wire(*before)


def _form_of(page: TestResponse) -> str:
    found = re.search(r'name="form" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def _send(client: Client, address: str = PAGE, **fields: str) -> TestResponse:
    """Open the page and send it, as a person without script and cookies would."""
    fields.setdefault("form", _form_of(client.get(address)))
    return client.post(address, data=fields)


def _answers(session: Session) -> list[Response]:
    return list(session.scalars(sa.select(Response).order_by(Response.id)))


def test_the_page_asks_in_the_language_of_link_browser_or_brand(
    session: Session, brand: Brand, survey: Survey, client: Client
) -> None:
    english = "How likely are you to recommend Acme to a friend?"
    spanish = "¿Qué probabilidad hay de que recomiendes Acme"
    assert english in client.get(PAGE).text
    assert spanish in client.get(f"{PAGE}?lang=es").text
    fresh = client.application.test_client()
    assert spanish in fresh.get(PAGE, headers={"Accept-Language": "es-MX,en;q=0.5"}).text
    brand.default_locale = "es"
    assert spanish in client.application.test_client().get(PAGE).text
    assert english in client.application.test_client().get(PAGE, headers={"Accept-Language": "en"}).text


def test_the_surveys_own_question_stands_in_its_language(session: Session, survey: Survey, client: Client) -> None:
    survey.question = {"en": "Would you send a friend?"}
    assert "Would you send a friend?" in client.get(PAGE).text
    assert "Would you send a friend?" not in client.get(f"{PAGE}?lang=es").text


@pytest.mark.parametrize(("scale", "values"), [("nps", range(11)), ("csat5", range(1, 6)), ("csat7", range(1, 8))])
def test_every_scale_offers_its_values(
    session: Session, survey: Survey, client: Client, scale: str, values: range
) -> None:
    survey.scale = scale
    offered = re.findall(r'name="score" value="(\d+)"', client.get(PAGE).text)
    assert offered == [str(value) for value in values]


@pytest.mark.usefixtures("leads_nowhere", "survey")
def test_an_answer_is_stored_and_thanked_for(session: Session, client: Client, heard: list[SurveyAnswered]) -> None:
    sent = _send(client, score="3", comment="Too slow.\r\nAnd <b>loud</b>.")
    assert sent.status_code == 303
    page = client.get(sent.location)
    assert "Thank you for being frank." in page.text
    assert "And &lt;b&gt;loud&lt;/b&gt;." in page.text
    (stored,) = _answers(session)
    assert (stored.source, stored.given, stored.comment) == ("hosted:visit", 3, "Too slow.\nAnd <b>loud</b>.")
    assert (stored.customer_id, stored.survey_id is not None, stored.locale) == (None, True, "en")
    assert len(heard) == 1


@pytest.mark.usefixtures("leads_nowhere", "survey")
@pytest.mark.parametrize(("score", "words"), [("10", "makes us happy"), ("7", "even better"), ("0", "being frank")])
def test_the_thank_you_fits_the_answer(client: Client, score: str, words: str) -> None:
    assert words in client.get(_send(client, score=score).location).text


@pytest.mark.usefixtures("survey")
def test_a_promoter_is_led_on_and_nobody_else(client: Client, heard: list[SurveyAnswered]) -> None:
    before = list(next_step._finders)
    next_step.wire(lambda _session, response: f"/share/{response.given}")
    try:
        assert _send(client, score="9").location == "/share/9"
        assert "/thanks/" in _send(client, score="8").location
    finally:
        next_step.wire(*before)


@pytest.mark.usefixtures("survey", "leads_nowhere")
def test_a_get_stores_nothing_not_even_with_a_score(session: Session, client: Client) -> None:
    page = client.get(f"{PAGE}?score=9&line=air")
    assert re.search(r'value="9" required checked', page.text)
    assert "You chose 9." in page.text
    assert _answers(session) == []
    sent = client.post(f"{PAGE}?line=air", data={"form": _form_of(page), "score": "9"})
    assert sent.status_code == 303
    assert [stored.given for stored in _answers(session)] == [9]


@pytest.mark.usefixtures("survey", "leads_nowhere")
def test_sending_twice_is_one_answer_and_going_back_is_an_edit(
    session: Session, client: Client, heard: list[SurveyAnswered]
) -> None:
    form = _form_of(client.get(PAGE))
    first = _send(client, form=form, score="9", comment="Good")
    again = _send(client, form=form, score="9", comment="Good")
    assert (first.status_code, again.status_code) == (303, 303)
    assert first.location.split("?")[0].rsplit(".", 2)[0] == again.location.split("?")[0].rsplit(".", 2)[0]
    edited = _send(client, form=form, score="4", comment="Not so good after all")
    assert "being frank" in client.get(edited.location).text
    rows = [(row.revision, row.given, row.superseded_at is None) for row in _answers(session)]
    assert rows == [(1, 9, False), (2, 4, True)]
    assert len(heard) == 2
    assert session.scalar(sa.select(sa.func.count(AuditEntry.id))) == 0


@pytest.mark.usefixtures("survey", "leads_nowhere")
def test_two_people_on_one_link_give_two_answers(session: Session, client: Client) -> None:
    _send(client, score="9")
    _send(client, score="9")
    assert len(_answers(session)) == 2


@pytest.mark.usefixtures("survey", "leads_nowhere")
def test_the_link_says_line_place_employee_and_touchpoint(session: Session, brand: Brand, client: Client) -> None:
    ensure_business_line(session, brand.id, "Long haul")
    ensure_location(session, brand.id, "São Paulo")
    session.commit()
    _send(client, f"{PAGE}?line=long-haul&location=S%C3%A3o+Paulo&employee=e-7&touchpoint=gate&lang=es", score="8")
    (stored,) = _answers(session)
    assert stored.business_line is not None
    assert stored.location is not None
    assert (stored.business_line.key, stored.location.key) == ("long-haul", "sao-paulo")
    assert (stored.employee_key, stored.touchpoint, stored.locale) == ("e-7", "gate", "es")


@pytest.mark.usefixtures("survey", "leads_nowhere")
def test_a_link_cannot_make_lines_or_hold_rubbish(session: Session, client: Client) -> None:
    address = f"{PAGE}?line=invented&employee={'x' * 81}&touchpoint=a%0Ab"
    assert _send(client, address, score="8").status_code == 303
    (stored,) = _answers(session)
    assert (stored.business_line_id, stored.employee_key, stored.touchpoint) == (None, "", "")
    assert session.scalar(sa.select(sa.func.count(BusinessLine.id))) == 0


@pytest.mark.usefixtures("leads_nowhere")
def test_a_signed_link_names_the_customer(
    session: Session, brand: Brand, survey: Survey, client: Client, signer: Signer
) -> None:
    ana = find_or_create(session, brand, email="ana@shop.example", locale="es")
    assert ana is not None
    session.commit()
    address = survey_url("", brand, survey, t=survey_token(signer, ana))
    assert "¿Qué probabilidad" in client.get(address, headers={"Accept-Language": "en"}).text
    _send(client, address, score="9")
    assert [stored.customer_id for stored in _answers(session)] == [ana.id]


@pytest.mark.usefixtures("leads_nowhere")
def test_an_invitation_is_answered_once_however_often_its_link_is_opened(
    session: Session, brand: Brand, survey: Survey, client: Client, signer: Signer
) -> None:
    ana = find_or_create(session, brand, email="ana@shop.example")
    assert ana is not None
    session.commit()
    address = survey_url("", brand, survey, t=survey_token(signer, ana, "m-77"))
    _send(client, address, score="9")
    _send(client, address, score="9")
    _send(client, address, score="2")
    rows = [(row.external_id, row.revision, row.given) for row in _answers(session)]
    assert rows == [("invitation-m-77", 1, 9), ("invitation-m-77", 2, 2)]


@pytest.mark.usefixtures("survey")
def test_a_token_that_is_not_ours_or_of_another_brand_is_404(session: Session, client: Client, signer: Signer) -> None:
    stranger = find_or_create(session, a_brand(session, "other"), email="x@shop.example")
    assert stranger is not None
    session.commit()
    for token in ("made-up", survey_token(signer, stranger), signer.sign(0), signer.sign({})):
        assert client.get(f"{PAGE}?t={token}").status_code == 404, token


@pytest.mark.usefixtures("leads_nowhere")
def test_somebody_forgotten_answers_as_anybody(
    session: Session, brand: Brand, survey: Survey, client: Client, signer: Signer
) -> None:
    ana = find_or_create(session, brand, email="ana@shop.example")
    assert ana is not None
    token = survey_token(signer, ana)
    erase(session, ana, "system")
    session.commit()
    _send(client, f"{PAGE}?t={token}", score="9")
    assert [stored.customer_id for stored in _answers(session)] == [None]
    assert session.scalar(sa.select(sa.func.count(Customer.id))) == 1


@pytest.mark.usefixtures("survey")
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Please choose a number from 0 to 10."),
        ({"score": ""}, "Please choose a number from 0 to 10."),
        ({"score": "11"}, "Please choose a number from 0 to 10."),
        ({"score": "-1"}, "Please choose a number from 0 to 10."),
        ({"score": "nine"}, "Please choose a number from 0 to 10."),
        ({"score": "9" * 500}, "Please choose a number from 0 to 10."),
        ({"score": "٩"}, "Please choose a number from 0 to 10."),
        ({"score": "9", "comment": "x" * 5001}, "Please keep it below 5000 characters."),
        ({"score": "9", "comment": "a\x08b"}, "Please leave out characters that cannot be printed."),
    ],
)
def test_a_wrong_form_is_shown_again_with_what_was_typed(
    session: Session, client: Client, fields: dict[str, str], words: str
) -> None:
    page = _send(client, **{"comment": "Kept", **fields})
    assert page.status_code == 422
    assert words in page.text
    assert 'name="score" value="9" required checked' in page.text or fields.get("score") != "9"
    assert ("Kept" in page.text) == ("comment" not in fields)
    assert _answers(session) == []


@pytest.mark.usefixtures("survey")
@pytest.mark.parametrize("form", ["", "made-up", "W10.aaa.bbb"])
def test_a_form_that_is_not_ours_is_asked_for_once_more(session: Session, client: Client, form: str) -> None:
    page = client.post(PAGE, data={"form": form, "score": "9", "comment": "Kept"})
    assert page.status_code == 422
    assert "Please send your answer once more." in page.text
    assert "Kept" in page.text
    assert _answers(session) == []


@pytest.mark.usefixtures("survey")
@pytest.mark.parametrize("score", ["11", "-1", "x", "99999999999999999999", "9.5"])
def test_a_score_off_the_scale_in_the_address_is_said_kindly(client: Client, score: str) -> None:
    page = client.get(f"{PAGE}?score={score}")
    assert page.status_code == 422
    assert "Please choose a number from 0 to 10." in page.text
    assert "checked" not in page.text


def test_unknown_closed_and_foreign_surveys_are_kind_pages(session: Session, survey: Survey, client: Client) -> None:
    assert client.get("/b/nobody/survey/visit").status_code == 404
    assert client.get("/b/acme/survey/nothing").status_code == 404
    form = _form_of(client.get(PAGE))
    survey.is_open = False
    session.commit()
    for answer in (client.get(PAGE), client.post(PAGE, data={"form": form, "score": "9"})):
        assert answer.status_code == 410
        assert "This survey is closed." in answer.text
    assert _answers(session) == []


@pytest.mark.usefixtures("survey", "leads_nowhere")
def test_the_thank_you_page_is_only_for_who_has_its_address(session: Session, client: Client) -> None:
    location = _send(client, score="3").location
    token = location.rsplit("/", 1)[1]
    assert client.get(location).status_code == 200
    assert client.get(f"{PAGE}/thanks/1").status_code == 404
    a_brand(session, "other")
    session.commit()
    assert client.get(f"/b/other/survey/visit/thanks/{token}").status_code == 404


@pytest.mark.usefixtures("survey")
def test_the_page_needs_no_cookie(client: Client) -> None:
    page = client.get(PAGE)
    assert "Set-Cookie" not in page.headers
    assert client.post(PAGE, data={"form": _form_of(page), "score": "3"}).status_code == 303
