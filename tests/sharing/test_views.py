"""The share page over HTTP: what it shows, what a tap does, and what it answers to what is wrong."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.sharing import outcomes
from amplify.sharing.channel import registry
from amplify.sharing.models import Share, ShareLink
from amplify.sharing.outcomes import Figure
from tests.client import Client
from tests.sharing.making import a_live_brand, a_visit, token_of


def all_shares(session: Session) -> list[Share]:
    return list(session.scalars(sa.select(Share).order_by(Share.id)))


def test_the_page_shows_the_own_words_every_channel_and_no_cache(session: Session, client: Client) -> None:
    visit = a_visit(session, a_live_brand(session), "Lovely <b>staff</b> & breakfast")
    answer = client.get(f"/share/{token_of(visit)}")
    assert answer.status_code == 200
    assert "Lovely &lt;b&gt;staff&lt;/b&gt; &amp; breakfast" in answer.text
    for channel in registry().values():
        assert f'/open/{channel.name}"' in answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert all_shares(session) == []  # looking is not sharing


def test_the_advocates_own_browser_is_marked(session: Session, client: Client) -> None:
    answer = client.get(f"/share/{token_of(a_visit(session, a_live_brand(session)))}")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("amplify_me="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("name", ["x", "whatsapp", "bluesky", "mastodon", "mail", "sms"])
def test_a_tap_records_an_intent_and_leads_to_the_composer(session: Session, client: Client, name: str) -> None:
    visit = a_visit(session, a_live_brand(session))
    answer = client.post(f"/share/{token_of(visit)}/open/{name}", data={"words": "Go there"})
    assert answer.status_code == 303
    share = all_shares(session)[0]
    assert (share.state, share.text, share.link.channel) == ("opened", "Go there", name)
    assert f"%2Fs%2F{share.link.code}" in answer.location or f"/s/{share.link.code}" in answer.location


@pytest.mark.parametrize("name", ["facebook", "linkedin"])
def test_no_words_are_sent_where_the_network_forbids_it(session: Session, client: Client, name: str) -> None:
    visit = a_visit(session, a_live_brand(session))
    visit.campaign.is_rewarded = True
    answer = client.post(f"/share/{token_of(visit)}/open/{name}", data={"words": "Go there"})
    assert "Go" not in answer.location
    assert len(parse_qs(urlsplit(answer.location).query)) == 1
    assert all_shares(session)[0].text == "Go there"  # for the card that the network makes of the link


def test_a_rewarded_share_carries_its_disclosure_first(session: Session, client: Client) -> None:
    visit = a_visit(session, a_live_brand(session), "So good")
    visit.campaign.is_rewarded = True
    token = token_of(visit)
    page = client.get(f"/share/{token}").text
    assert page.index("Ad: I may get a reward.") < page.index("So good")
    answer = client.post(f"/share/{token}/open/x", data={"words": "So good"})
    assert parse_qs(urlsplit(answer.location).query)["text"] == ["Ad: I may get a reward.\n\nSo good"]
    assert all_shares(session)[0].disclosure == "Ad: I may get a reward."


def test_the_disclosure_speaks_the_readers_language(session: Session, client: Client) -> None:
    visit = a_visit(session, a_live_brand(session), customer={"locale": "es"})
    visit.campaign.is_rewarded = True
    assert "Publicidad: puedo recibir un premio." in client.get(f"/share/{token_of(visit)}").text
    assert "Ad: I may get a reward." in client.get(f"/share/{token_of(visit)}?lang=en").text


def test_a_text_that_is_too_long_comes_back_whole_and_nothing_is_recorded(session: Session, client: Client) -> None:
    visit = a_visit(session, a_live_brand(session))
    words = "Lovely stay & more. " * 30
    answer = client.post(f"/share/{token_of(visit)}/open/x", data={"words": words})
    assert answer.status_code == 422
    assert "too long for X" in answer.text
    assert words.strip().replace("&", "&amp;") in answer.text
    assert all_shares(session) == []


def test_a_server_that_is_none_is_refused_with_the_words_kept(session: Session, client: Client) -> None:
    visit = a_visit(session, a_live_brand(session))
    data = {"words": "Hello there", "server": "evil.example/x?"}
    answer = client.post(f"/share/{token_of(visit)}/open/mastodon", data=data)
    assert answer.status_code == 422
    assert "Hello there" in answer.text
    assert all_shares(session) == []


def test_the_link_and_its_code_have_pages(session: Session, client: Client) -> None:
    visit = a_visit(session, a_live_brand(session))
    token = token_of(visit)
    answer = client.post(f"/share/{token}/open/qr", data={"words": "x"}, follow_redirects=True)
    link = session.scalars(sa.select(ShareLink).where(ShareLink.channel == "qr")).one()
    assert f"http://localhost/s/{link.code}" in answer.text
    picture = client.get(f"/share/{token}/qr/{link.code}.svg")
    assert picture.content_type == "image/svg+xml"
    assert picture.data.startswith(b"<?xml")
    assert client.get(f"/share/{token}/qr/{'1' * 9}.svg").status_code == 404
    assert client.get(f"/share/{token}/link/x").status_code == 303  # never opened


def test_another_advocates_code_is_not_shown(session: Session, client: Client) -> None:
    brand = a_live_brand(session)
    one = a_visit(session, brand)
    two = a_visit(session, brand, external_id="a-2", customer={"email": "ben@friends.example"})
    client.post(f"/share/{token_of(one)}/open/qr")
    code = session.scalars(sa.select(ShareLink.code).where(ShareLink.channel == "qr")).one()
    assert client.get(f"/share/{token_of(two)}/qr/{code}.svg").status_code == 404


@pytest.mark.parametrize("path", ["/share/{}", "/share/{}/link/copy", "/share/{}/qr/abc.svg"])
def test_a_forged_token_is_404_and_an_expired_one_410(
    session: Session, client: Client, path: str, time_machine: object
) -> None:
    token = token_of(a_visit(session, a_live_brand(session)))
    assert client.get(path.format("x" + token)).status_code == 404
    time_machine.move_to(clock.now() + timedelta(days=31))  # type: ignore[attr-defined]
    answer = client.get(path.format(token), headers={"Accept": "text/html"})
    assert answer.status_code == 410
    assert "This link has expired." in answer.text


@pytest.mark.parametrize("state", ["paused", "ended", "stopped"])
def test_a_campaign_that_takes_no_shares_explains_itself_and_takes_none(
    session: Session, client: Client, state: str
) -> None:
    visit = a_visit(session, a_live_brand(session))
    visit.campaign.state = state
    token = token_of(visit)
    page = client.get(f"/share/{token}")
    assert page.status_code == 200
    assert "textarea" not in page.text
    assert client.post(f"/share/{token}/open/x", data={"words": "x"}).status_code == 409
    assert all_shares(session) == []
    assert session.scalar(sa.select(sa.func.count()).select_from(ShareLink)) == 0


def test_an_unknown_channel_is_404(session: Session, client: Client) -> None:
    token = token_of(a_visit(session, a_live_brand(session)))
    assert client.post(f"/share/{token}/open/pigeon").status_code == 404


def test_a_name_is_shown_only_if_the_person_says_so(session: Session, client: Client) -> None:
    visit = a_visit(session, a_live_brand(session))
    token = token_of(visit)
    for data, name, on_board in (
        ({"appear": "name", "name": " Ana P. "}, "Ana P.", True),
        ({"appear": "pseudonym", "name": "Ana P."}, None, True),
        ({"appear": "hidden"}, None, False),
    ):
        assert client.post(f"/share/{token}/name", data=data).status_code == 303
        session.refresh(visit.advocate)
        assert (visit.advocate.shown_name, visit.advocate.on_board) == (name, on_board)


@pytest.mark.parametrize(
    "data", [{"appear": "name", "name": ""}, {"appear": "name", "name": "x" * 41}, {"appear": "boss"}]
)
def test_a_name_that_is_none_is_refused(session: Session, client: Client, data: dict[str, str]) -> None:
    token = token_of(a_visit(session, a_live_brand(session)))
    assert client.post(f"/share/{token}/name", data=data).status_code == 422


@pytest.mark.parametrize("words", ["\ud800", "a\0b", "x" * 5_001, "x" * 300_000])
def test_broken_or_huge_words_are_never_a_server_error(session: Session, client: Client, words: str) -> None:
    token = token_of(a_visit(session, a_live_brand(session)))
    body = f"words={words}".encode("utf-8", "surrogatepass")
    answer = client.post(f"/share/{token}/open/x", data=body, content_type="application/x-www-form-urlencoded")
    assert 300 <= answer.status_code < 500
    assert len(all_shares(session)) == (1 if answer.status_code == 303 else 0)


def test_what_happened_stands_on_the_page_human_beside_raw(session: Session, client: Client) -> None:
    visit = a_visit(session, a_live_brand(session))
    token = token_of(visit)
    assert "What happened" not in client.get(f"/share/{token}").text
    client.post(f"/share/{token}/open/x", data={"words": "hello"})
    known = list(outcomes._sources)
    outcomes.wire(lambda _s, _a: [Figure("People", 7, "of 31 requests")])
    page = client.get(f"/share/{token}").text
    outcomes.wire(*known)
    assert "of 31 requests" in page
    assert f"/board/{token}" in page


def test_the_privacy_page_names_the_cookie(session: Session, client: Client) -> None:
    a_live_brand(session)
    assert "amplify_me" in client.get("/brand/acme/privacy").text
    assert client.get("/brand/nobody/privacy").status_code == 404
