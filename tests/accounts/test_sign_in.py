"""Signing in and out, sessions that end, and passwords by mail."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from sqlalchemy.orm import Session

from amplify.accounts import services
from amplify.accounts.models import User
from amplify.brands.models import Brand
from amplify.core import clock
from amplify.delivery.models import Message
from tests.client import Client
from tests.world import PASSWORD, a_brand, a_user

EMAIL = "ana@acme.example"
NEW_PASSWORD = "a much better sentence"


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_brand(session)


@pytest.fixture
def ana(session: Session, brand: Brand) -> User:
    return a_user(session, brand, email=EMAIL)


def sign_in(client: Client, password: str = PASSWORD, email: str = EMAIL, **query: str) -> str | None:
    """Through the form; the address it leads to, or None when refused."""
    answer = client.post_form("/login", {"email": email, "password": password}, query_string=query)
    return answer.location if answer.status_code == 302 else None


def is_in(client: Client) -> bool:
    return client.get("/console").status_code == 200


@pytest.mark.usefixtures("ana")
class TestTheForm:
    def test_the_right_password_opens_the_console(self, client: Client) -> None:
        assert sign_in(client, email="Ana@ACME.example") == "/console"
        assert is_in(client)

    def test_a_wrong_password_and_an_unknown_address_get_the_same_words(self, client: Client) -> None:
        wrong = client.post_form("/login", {"email": EMAIL, "password": "wrong"}).text
        unknown = client.post_form("/login", {"email": "bob@acme.example", "password": "wrong"}).text
        assert "The address or the password is not right." in wrong
        assert "The address or the password is not right." in unknown
        assert not is_in(client)

    def test_the_page_asked_for_comes_after(self, client: Client) -> None:
        assert sign_in(client, next="/console/keys") == "/console/keys"

    @pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "\tjs:x"])
    def test_no_other_site_comes_after(self, client: Client, elsewhere: str) -> None:
        assert re.match(r"/(?![/\\\\])|$", sign_in(client, next=elsewhere) or "")

    def test_somebody_locked_out_stays_out(self, session: Session, brand: Brand, client: Client, ana: User) -> None:
        a_user(session, brand, email="second@acme.example")
        services.deactivate(session, ana, "system")
        assert sign_in(client) is None

    @pytest.mark.parametrize("body", [b"[" * 9000, b'{"email": 1}', b"\xff"])
    def test_json_is_not_read_there(self, client: Client, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "X-CSRFToken": client.csrf_token()}
        assert client.post("/login", data=body, headers=headers).status_code == 415

    def test_too_many_tries_are_slowed_down(self, app: Flask, client: Client) -> None:
        app.config["COUNT_REQUESTS"] = True
        try:
            tries = [client.post_form("/login", {"email": EMAIL, "password": "x"}) for _ in range(11)]
        finally:
            app.config["COUNT_REQUESTS"] = False
        assert [answer.status_code for answer in tries] == [200] * 10 + [429]
        assert 1 <= int(tries[-1].headers["Retry-After"]) <= 60


@pytest.mark.usefixtures("ana")
class TestASignIn:
    def copy_of(self, client: Client, app: Flask) -> Client:
        """Another browser with the same cookie: a thief's."""
        thief = app.test_client()
        assert isinstance(thief, Client)
        cookie = client.get_cookie("session")
        assert cookie
        thief.set_cookie("session", cookie.value)
        return thief

    def test_the_cookie_is_worthless_after_signing_out(self, app: Flask, client: Client) -> None:
        sign_in(client)
        thief = self.copy_of(client, app)
        assert is_in(thief)
        assert client.get("/logout").status_code == 200
        assert is_in(client)  # a GET changed nothing
        assert client.post("/logout").status_code == 400
        assert client.post_form("/logout").status_code == 302
        assert not is_in(client)
        assert not is_in(thief)
        assert thief.get("/console/password").status_code == 302

    def test_signing_out_here_leaves_the_other_browser_alone(self, app: Flask, client: Client) -> None:
        sign_in(client)
        phone = app.test_client()
        assert isinstance(phone, Client)
        sign_in(phone)
        client.post_form("/logout")
        assert is_in(phone)

    def test_what_was_in_the_cookie_before_does_not_survive(self, client: Client) -> None:
        before = client.csrf_token()
        with client.session_transaction() as cookie:
            cookie["planted"] = "by somebody else"
        sign_in(client)
        with client.session_transaction() as cookie:
            assert "planted" not in cookie
        assert client.post("/logout", data={"csrf_token": before}).status_code == 400

    def test_it_ends_after_eight_hours(self, client: Client) -> None:
        sign_in(client)
        with time_machine.travel(clock.now() + timedelta(hours=7, minutes=59)):
            assert is_in(client)
        with time_machine.travel(clock.now() + timedelta(hours=8, minutes=1)):
            assert not is_in(client)

    def test_another_role_signs_out_everywhere(self, session: Session, brand: Brand, client: Client, ana: User) -> None:
        a_user(session, brand, email="second@acme.example")
        sign_in(client)
        services.change_role(session, ana, "brand", "system")
        assert not is_in(client)
        sign_in(client)
        assert is_in(client)
        assert client.get("/console/keys").status_code == 403

    def test_a_new_password_signs_out_the_others(self, app: Flask, client: Client) -> None:
        sign_in(client)
        thief = self.copy_of(client, app)
        form = {"password": PASSWORD, "new_password": NEW_PASSWORD, "new_password_confirm": NEW_PASSWORD}
        assert client.post_form("/console/password", form).status_code == 302
        assert is_in(client)
        assert not is_in(thief)
        assert sign_in(thief, NEW_PASSWORD)


class TestThePasswordMail:
    def link(self, session: Session, template: str) -> str:
        message = session.scalars(sa.select(Message).where(Message.template == template)).one()
        assert message.address == EMAIL
        assert not message.is_marketing
        return str(message.context["link"]).removeprefix("http://localhost")

    @pytest.mark.usefixtures("ana")
    def test_the_link_sets_a_new_password_once(self, session: Session, client: Client) -> None:
        client.post_form("/reset", {"email": EMAIL}, headers={"X-Forwarded-Host": "evil.example"})
        link = self.link(session, "staff_reset_instructions")
        form = {"password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD}
        assert client.get(link).status_code == 200
        assert client.post_form(link, form).status_code == 302
        assert sign_in(client, NEW_PASSWORD)
        client.post_form("/logout")
        client.post_form(link, {"password": "yet another sentence", "password_confirm": "yet another sentence"})
        assert sign_in(client, NEW_PASSWORD)

    @pytest.mark.usefixtures("ana")
    def test_the_link_ends_after_a_day(self, session: Session, client: Client) -> None:
        client.post_form("/reset", {"email": EMAIL})
        link = self.link(session, "staff_reset_instructions")
        with time_machine.travel(clock.now() + timedelta(hours=25)):
            client.post_form(link, {"password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD})
        assert sign_in(client, NEW_PASSWORD) is None

    @pytest.mark.usefixtures("ana")
    def test_an_unknown_address_gets_the_same_answer_and_no_mail(self, session: Session, client: Client) -> None:
        known = client.post_form("/reset", {"email": EMAIL})
        unknown = client.post_form("/reset", {"email": "bob@acme.example"})
        without_token = [re.sub(r'value="[^"]*"', "", answer.text) for answer in (known, unknown)]
        assert without_token[0] == without_token[1]
        assert len(session.scalars(sa.select(Message)).all()) == 1

    def test_an_invited_person_chooses_a_password(self, session: Session, brand: Brand, client: Client) -> None:
        client.sign_in(a_user(session, brand))
        form = {"email": EMAIL, "role": "marketer", "person": "Ana", "locale": "es"}
        assert client.post_form("/console/people", form).status_code == 303
        client.post_form("/logout")
        link = self.link(session, "staff_invitation")
        client.post_form(link, {"password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD})
        assert sign_in(client, NEW_PASSWORD)
        assert client.get("/console/keys").status_code == 403

    @pytest.mark.usefixtures("ana")
    def test_a_short_password_is_refused(self, session: Session, client: Client) -> None:
        client.post_form("/reset", {"email": EMAIL})
        link = self.link(session, "staff_reset_instructions")
        page = client.post_form(link, {"password": "short", "password_confirm": "short"})
        assert "12 characters" in page.text
        spanish = client.post_form(f"{link}?lang=es", {"password": NEW_PASSWORD, "password_confirm": "another one"})
        assert "Las contraseñas no coinciden" in spanish.text
