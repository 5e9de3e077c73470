"""Every page there is, over a small living brand, in both languages: it answers, and nothing is left untranslated."""

import html
import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from babel.messages.pofile import read_po
from sqlalchemy.orm import Session

from amplify.accounts.models import User
from amplify.brands.models import Brand
from amplify.core import paths
from amplify.demo.seed import seed
from tests.client import Client
from tests.every_page import addresses

LANGUAGES = ("en", "es")
TAG = re.compile(r"<(script|style|template)\b.*?</\1>|<[^>]+>", re.DOTALL)
# Words of the other language on purpose: a campaign's form holds both.
ENGLISH = re.compile(r"<(\w+)\b[^>]*\blang=\"en\"[^>]*>.*?</\1>", re.DOTALL)
WORDS = 3


@pytest.fixture
def living(session: Session) -> Brand:
    """A small version of the demo's brand."""
    return seed(session, datetime.now(UTC), lambda done, of: None, answers=120)


@pytest.fixture
def english() -> list[str]:
    """Sentences that read otherwise in Spanish and have no placeholder: none may stand on a Spanish page."""
    with (paths.LOCALES / "es" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        messages = [(str(m.id), m.string) for m in read_po(file, locale="es") if isinstance(m.id, str) and m.id]
    return [said for said, spanish in messages if said != spanish and "%(" not in said and len(said.split()) > WORDS]


def _text(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(TAG.sub(" ", page)))


def test_every_page_speaks_both_languages(
    app: APIFlask, session: Session, client: Client, living: Brand, english: list[str]
) -> None:
    client.sign_in(session.scalars(sa.select(User).where(User.email == "ada@brisa.example")).one())
    looked_at = 0
    for address in addresses(app, session, living):
        for language in LANGUAGES:
            answer = client.get(address, query_string={"lang": language}, follow_redirects=False)
            assert answer.status_code in (200, 302, 303), (address, answer.status_code)
            if answer.status_code != 200 or answer.mimetype != "text/html":
                continue
            looked_at += 1
            page = answer.get_data(as_text=True)
            assert f'<html lang="{language}"' in page or "<html" not in page, address
            if language == "es":
                text = _text(ENGLISH.sub(" ", page))
                assert [said for said in english if said in text] == [], address
    assert looked_at > 40


def test_every_mail_of_the_story_speaks_its_readers_language(
    capsys: pytest.CaptureFixture[str], living: Brand, english: list[str]
) -> None:
    mails = [_text(mail) for mail in re.split(r"^-{20,}$", capsys.readouterr().out, flags=re.MULTILINE)]
    spanish = [mail for mail in mails if "Darme de baja" in mail]
    assert spanish
    for mail in spanish:
        assert [said for said in english if said in mail] == []
