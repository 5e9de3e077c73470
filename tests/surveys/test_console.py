"""What staff see of answers: the list with its filters, the NPS with its small print, the surveys and their links."""

import csv
import io
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.brands.models import Brand
from amplify.surveys.models import Response, Survey
from amplify.surveys.services import ensure_survey, record_response
from tests.client import Client
from tests.surveys.conftest import an_answer
from tests.world import a_brand, a_user


@pytest.fixture
def staff(session: Session, brand: Brand, client: Client) -> Client:
    client.sign_in(a_user(session, brand, "marketer"))
    return client


@pytest.fixture
def answers(session: Session, brand: Brand) -> None:
    """Three answers of this brand, one of another."""
    at = datetime(2026, 1, 10, 12, tzinfo=UTC)
    told = (("a", 9, "Air", "=1+1 is fine", 1), ("b", 3, "Air", "Lost <i>bag</i>", 2), ("c", 8, "Rail", "", 3))
    for name, given, line, comment, month in told:
        said = an_answer(
            external_id=name, given=given, business_line=line, comment=comment, answered_at=at.replace(month=month)
        )
        record_response(session, brand, said)
    record_response(session, a_brand(session, "other"), an_answer(comment="Secret of another brand"))
    session.commit()


@pytest.mark.usefixtures("answers")
class TestTheList:
    def test_shows_this_brands_answers_newest_first_and_escapes_them(self, staff: Client) -> None:
        page = staff.get("/console/surveys").text
        assert page.index("Rail") < page.index("Lost &lt;i&gt;bag&lt;/i&gt;") < page.index("=1+1 is fine")
        assert "Secret of another brand" not in page

    @pytest.mark.parametrize(
        ("query", "shown", "hidden"),
        [
            ("category=promoter", "=1+1", "Lost"),
            ("line=air&category=detractor", "Lost", "=1+1"),
            ("since=2026-02-01&until=2026-02-10", "Lost", "=1+1"),
            ("q=BAG", "Lost", "=1+1"),
            ("source=signed:shop&q=%25", "No answer fits", "Lost"),
            ("location=nowhere", "No answer fits", "Lost"),
        ],
    )
    def test_is_filtered(self, staff: Client, query: str, shown: str, hidden: str) -> None:
        page = staff.get(f"/console/surveys?{query}").text
        assert shown in page
        assert hidden not in page

    @pytest.mark.parametrize(
        "query",
        ["page=0", "page=-3", "page=99999999999999999999", "page=x", "since=never", "until=9999-12-31", "category=fan"],
    )
    def test_takes_any_query_kindly(self, staff: Client, query: str) -> None:
        assert staff.get(f"/console/surveys?{query}").status_code == 200

    def test_as_csv_holds_what_fits_and_no_formula(self, staff: Client) -> None:
        answer = staff.get("/console/surveys?format=csv&line=air")
        rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert [(row["external_id"], row["category"], row["business_line"]) for row in rows] == [
            ("b", "detractor", "Air"),
            ("a", "promoter", "Air"),
        ]
        assert rows[1]["comment"] == "'=1+1 is fine"

    def test_is_for_staff_only(self, client: Client) -> None:
        for path in ("/console/surveys", "/console/surveys/results", "/console/imports", "/console/surveys/new"):
            assert client.get(path).status_code == 302


def test_an_empty_list_says_what_to_do_next(staff: Client) -> None:
    assert "No answers yet" in staff.get("/console/surveys").text
    assert "No scores yet" in staff.get("/console/surveys/results").text
    assert "No survey yet" in staff.get("/console/surveys/hosted").text


@pytest.fixture
def many(session: Session, brand: Brand) -> None:
    """Forty answers of one line, two of another."""
    for number in range(42):
        line, given = ("Air", 10 if number % 2 else 5) if number < 40 else ("Rail", 10)
        record_response(session, brand, an_answer(external_id=f"r{number}", given=given, business_line=line))
    session.commit()


@pytest.mark.usefixtures("many")
class TestResults:
    def test_show_n_and_interval_and_say_when_few(self, staff: Client) -> None:
        page = staff.get("/console/surveys/results").text
        assert "Few answers" in page
        assert page.index(">Air<") < page.index(">Rail")
        assert "Rocks" in page
        assert "40" in page

    def test_leave_few_answers_out_of_the_chart(self, staff: Client) -> None:
        page = staff.get("/console/surveys/results").text
        assert '"categories": ["Air"]' in page

    def test_as_csv(self, staff: Client) -> None:
        text = staff.get("/console/surveys/results?format=csv&by=business_line").text.removeprefix("\ufeff")
        rows = list(csv.DictReader(io.StringIO(text)))
        shown = [(row["name"], row["answers"], row["nps"]) for row in rows]
        assert shown == [("Air", "40", "0.0"), ("Rail", "2", "100.0")]
        assert float(rows[0]["interval_low"]) == pytest.approx(-29.4, abs=0.05)

    @pytest.mark.parametrize("query", ["days=30", "days=7", "days=x", "format=csv&by=nothing"])
    def test_take_any_query_kindly(self, staff: Client, query: str) -> None:
        assert staff.get(f"/console/surveys/results?{query}").status_code == 200


FORM = {"name": "After the visit", "key": "visit", "scale": "nps", "is_open": "y", "question_es": "¿Nos recomiendas?"}


def test_a_survey_is_made_changed_and_linked(session: Session, staff: Client) -> None:
    made = staff.post_form("/console/surveys/new", FORM)
    assert made.status_code == 303
    survey = session.scalars(sa.select(Survey)).one()
    assert (survey.key, survey.question, survey.is_open) == ("visit", {"es": "¿Nos recomiendas?"}, True)
    page = staff.get(made.location).text
    assert "http://localhost/b/acme/survey/visit" in page
    changed = staff.post_form(made.location, {**FORM, "name": "Visit", "is_open": ""})
    assert changed.status_code == 303
    session.refresh(survey)
    assert (survey.name, survey.is_open) == ("Visit", False)
    actions = session.scalars(sa.select(AuditEntry.action).where(AuditEntry.subject_kind == "survey"))
    assert list(actions) == ["survey.created", "survey.changed"]


def test_the_qr_code_is_a_picture_of_the_address(session: Session, brand: Brand, staff: Client) -> None:
    survey = ensure_survey(session, brand, "visit", "Visit")
    session.commit()
    answer = staff.get(f"/console/surveys/{survey.id}/qr.svg")
    assert answer.mimetype == "image/svg+xml"
    assert "<svg" in answer.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "Please fill this in."),
        ({"key": "Two words"}, "Use small letters, digits and dashes."),
        ({"key": "taken"}, "There is a survey of this name already."),
        ({"scale": "stars"}, "Not a valid choice."),
        ({"question_en": "x" * 301}, "300"),
    ],
)
def test_a_wrong_survey_form_is_shown_again(
    session: Session, brand: Brand, staff: Client, change: dict[str, str], words: str
) -> None:
    ensure_survey(session, brand, "taken", "Taken")
    session.commit()
    page = staff.post_form("/console/surveys/new", {**FORM, **change})
    assert page.status_code in (409, 422)
    assert words in page.text
    assert session.scalar(sa.select(sa.func.count(Survey.id))) == 1


def test_scale_and_address_stay_once_there_are_answers(session: Session, brand: Brand, staff: Client) -> None:
    survey = ensure_survey(session, brand, "visit", "Visit")
    record_response(session, brand, an_answer(), survey=survey)
    session.commit()
    address = f"/console/surveys/{survey.id}"
    assert "There are answers on the old scale." in staff.post_form(address, {**FORM, "scale": "csat5"}).text
    assert "There are answers at the old address." in staff.post_form(address, {**FORM, "key": "other"}).text
    assert staff.post_form(address, {**FORM, "name": "New name"}).status_code == 303


def test_another_brands_survey_is_404(session: Session, staff: Client) -> None:
    foreign = ensure_survey(session, a_brand(session, "other"), "visit", "Visit")
    session.commit()
    for path in (f"/console/surveys/{foreign.id}", f"/console/surveys/{foreign.id}/qr.svg"):
        assert staff.get(path).status_code == 404
    assert staff.post_form(f"/console/surveys/{foreign.id}", FORM).status_code == 404


def test_the_brand_team_looks_and_changes_nothing(session: Session, brand: Brand, client: Client) -> None:
    client.sign_in(a_user(session, brand, "brand"))
    assert client.get("/console/surveys").status_code == 200
    assert client.get("/console/surveys/hosted").status_code == 200
    assert client.post_form("/console/surveys/new", FORM).status_code == 403
    assert client.get("/console/imports").status_code == 403
    assert session.scalar(sa.select(sa.func.count(Response.id))) == 0
