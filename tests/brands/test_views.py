"""What a brand shows to everybody."""

import pytest
from sqlalchemy.orm import Session

from tests.client import Client
from tests.world import a_brand


def test_the_stylesheet_carries_the_accent_and_may_be_kept(session: Session, client: Client) -> None:
    a_brand(session, theme={"accent": "#0b6bcb"})
    answer = client.get("/brand/acme/theme.css?v=0b6bcb")
    assert answer.mimetype == "text/css"
    assert "--brand-accent: #0b6bcb;" in answer.text
    assert answer.headers["Cache-Control"] == "public, max-age=86400"


@pytest.mark.parametrize("path", ["/brand/nobody/theme.css", "/b/nobody/privacy", "/b/%00/privacy"])
def test_an_unknown_brand_is_a_kind_404_or_400(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert "<h1>" in answer.text


def test_the_privacy_page_speaks_the_readers_language(session: Session, client: Client) -> None:
    a_brand(session, postal_address="Acme\nMain Street 1")
    english = client.get("/b/acme/privacy?lang=en").text
    assert "What we keep, and why" in english
    assert "90 days" in english
    assert "Main Street 1" in english
    spanish = client.get("/b/acme/privacy?lang=es").text
    assert 'lang="es"' in spanish
    assert client.get_cookie("lang") is not None


def test_a_brand_in_spanish_greets_in_spanish_without_being_asked(session: Session, client: Client) -> None:
    a_brand(session, default_locale="es")
    assert '<html lang="es"' in client.get("/b/acme/privacy").text
    assert '<html lang="en"' in client.get("/b/acme/privacy", headers={"Accept-Language": "en-GB"}).text
