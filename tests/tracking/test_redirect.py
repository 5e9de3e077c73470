"""The short link over HTTP: who gets what, and what is on disk afterwards."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.web import Amplify
from amplify.sharing.models import Share
from amplify.sharing.tokens import ME_COOKIE, ME_PURPOSE, me_token
from amplify.tracking import services
from amplify.tracking.models import Click
from amplify.tracking.redirect import Hit, country_of, decide, read_hit, with_click
from tests.client import Client
from tests.tracking.world import CHROME, FACEBOOK, NOON, TARGET, World

PERSON = {"User-Agent": CHROME}
MACHINE = {"User-Agent": FACEBOOK}


def clicks(session: Session) -> list[Click]:
    return list(session.scalars(sa.select(Click).order_by(Click.id)))


def test_a_person_is_led_to_the_target_with_the_clicks_token(world: World, client: Client) -> None:
    link = world.link(world.advocate())
    response = client.get(f"/s/{link.code}", headers=PERSON)
    assert response.status_code == 302
    way = urlsplit(response.headers["Location"])
    (stored,) = clicks(world.session)
    assert parse_qs(way.query) == {"from": ["friend"], "amplify_click": [str(stored.token)]}
    assert (way.netloc, way.path, way.fragment) == ("shop.example", "/landing", "offer")
    assert response.headers["Cache-Control"] == "private, no-store"
    assert "Referrer-Policy" in response.headers
    assert (stored.link_id, stored.method, stored.user_agent, stored.at) == (link.id, "GET", CHROME, NOON)


def test_nothing_of_the_request_changes_where_a_link_leads(world: World, client: Client) -> None:
    link = world.link(world.advocate())
    response = client.get(f"/s/{link.code}?to=https://evil.example&url=//evil.example", headers=PERSON)
    assert "evil" not in response.headers["Location"]


def test_a_click_keeps_no_address_and_no_more_of_the_headers_than_it_needs(world: World, client: Client) -> None:
    link = world.link(world.advocate())
    headers = {
        **PERSON,
        "Referer": "https://social.example/posts/7?user=private",
        "Accept-Language": "es-MX,es;q=0.9,en;q=0.5",
        "Sec-GPC": "1",
    }
    client.get(f"/s/{link.code}", headers=headers, environ_overrides={"REMOTE_ADDR": "203.0.113.77"})
    (stored,) = clicks(world.session)
    assert (stored.referrer_host, stored.language, stored.gpc) == ("social.example", "es-MX", True)
    row = world.session.execute(sa.text("SELECT * FROM clicks")).mappings().one()
    assert not any("203.0.113" in str(value) or "private" in str(value) for value in row.values())


def test_a_machine_gets_a_card_of_the_campaign(world: World, client: Client) -> None:
    link = world.link(world.advocate())
    response = client.get(f"/s/{link.code}", headers=MACHINE)
    assert response.status_code == 200
    page = response.text
    assert f'property="og:url" content="http://localhost/s/{link.code}"' in page
    assert 'property="og:title" content="A stay to remember"' in page
    assert 'property="og:description" content="I slept like a stone."' in page
    assert 'property="og:site_name" content="Acme"' in page
    assert f'property="og:image" content="http://localhost/s/{link.code}/card.png?v=' in page
    assert 'property="og:image:width" content="1200"' in page
    assert 'name="twitter:card" content="summary_large_image"' in page
    (stored,) = clicks(world.session)
    way = f"https://shop.example/landing?from=friend&amp;amplify_click={stored.token}"
    assert f'http-equiv="refresh" content="0;url={way}' in page
    with client.get("/static/img/share-card.png") as image:
        assert image.data[16:24] == (1200).to_bytes(4, "big") + (630).to_bytes(4, "big")


def test_the_card_speaks_the_links_language_and_the_customers_own_words(world: World, client: Client) -> None:
    link = world.link(world.advocate(), locale="es")
    words = 'El mejor <hotel> de "todos"'
    world.session.add(Share(brand_id=world.brand.id, link_id=link.id, text=words, opened_at=clock.now()))
    world.campaign.is_rewarded = True
    page = client.get(f"/s/{link.code}", headers={**MACHINE, "Accept-Language": "en"}).text
    assert '<html lang="es"' in page
    assert 'content="Una estancia inolvidable"' in page
    assert 'content="Publicidad El mejor &lt;hotel&gt; de &#34;todos&#34;"' in page


def test_head_and_prefetch_are_stored_as_what_they_are(world: World, client: Client) -> None:
    link = world.link(world.advocate())
    assert client.head(f"/s/{link.code}", headers=PERSON).status_code == 302
    assert client.head(f"/s/{link.code}", headers=MACHINE).data == b""
    client.get(f"/s/{link.code}", headers={**PERSON, "Sec-Purpose": "prefetch;prerender"})
    assert [c.method for c in clicks(world.session)] == ["HEAD", "HEAD", "GET"]
    assert clicks(world.session)[-1].purpose == "prefetch;prerender"


def test_an_advocates_own_click_is_known_by_their_cookie_only(world: World, client: Client) -> None:
    anna, ben = world.advocate(), world.advocate()
    link = world.link(anna)
    signer = Amplify(client.application.extensions["amplify"].settings).signer(ME_PURPOSE)
    for value in (me_token(signer, anna), me_token(signer, ben), "forged"):
        client.set_cookie(ME_COOKIE, value)
        client.get(f"/s/{link.code}", headers=PERSON)
    assert [c.is_own for c in clicks(world.session)] == [True, False, False]


def test_an_unknown_code_is_a_kind_404(world: World, client: Client) -> None:
    response = client.get("/s/nothing", headers=PERSON)
    assert response.status_code == 404
    assert response.mimetype == "text/html"
    assert clicks(world.session) == []


@pytest.mark.parametrize("ending", ["campaign", "disabled", "expired", "host"])
def test_a_link_that_has_ended_is_a_kind_410(world: World, client: Client, ending: str) -> None:
    link = world.link(world.advocate())
    if ending == "campaign":
        world.campaign.state = "stopped"
    elif ending == "disabled":
        link.disabled_at = NOON
    elif ending == "expired":
        link.expires_at = NOON
    else:
        world.brand.target_hosts = ["other.example"]
    response = client.get(f"/s/{link.code}", headers=PERSON)
    assert response.status_code == 410
    assert "shop.example" not in response.text
    assert clicks(world.session) == []


@pytest.mark.parametrize("state", ["paused", "ended"])
def test_friends_still_get_there_when_a_campaign_pauses_or_ends(world: World, client: Client, state: str) -> None:
    link = world.link(world.advocate())
    world.campaign.state = state
    assert client.get(f"/s/{link.code}", headers=PERSON).status_code == 302


def test_a_person_still_gets_there_when_the_click_cannot_be_stored(world: World, client: Client) -> None:
    """The clicks table is gone: as on a full disk, the link is found and the write fails."""
    link = world.link(world.advocate())
    world.session.execute(sa.text("ALTER TABLE clicks RENAME TO clicks_away"))
    world.session.commit()
    response = client.get(f"/s/{link.code}", headers=PERSON)
    assert (response.status_code, response.headers["Location"]) == (302, TARGET)
    assert client.get(f"/s/{link.code}", headers=MACHINE).status_code == 200
    assert "amplify_click" not in client.get(f"/s/{link.code}", headers=MACHINE).text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example", "https://a.example?amplify_click=T"),
        ("https://a.example/?x=1", "https://a.example/?x=1&amplify_click=T"),
        ("https://a.example/#top", "https://a.example/?amplify_click=T#top"),
    ],
)
def test_the_token_joins_any_address(url: str, expected: str) -> None:
    assert with_click(url, "T") == expected
    assert with_click(url, None) == url


def test_odd_headers_become_bounded_printable_text() -> None:
    headers = {"user-agent": "A\x00\x1b\ud800" + "b" * 900, "referer": "http://[broken", "accept-language": "x" * 99}
    found = read_hit("PROPFINDLONG", headers.get, is_own=False)
    assert (len(found.user_agent), found.user_agent[:2], found.method) == (400, "Ab", "PROPFIND")
    assert (found.referrer_host, len(found.language)) == ("", 40)


def test_a_link_that_expires_now_has_ended(world: World) -> None:
    link = world.link(world.advocate(), expires_at=NOON + timedelta(seconds=1))
    target = services.find_target(world.session, link.code)
    person = Hit("GET", CHROME, "", "", "", False, False)
    assert decide(person, target, NOON).kind == "redirect"
    assert decide(person, target, NOON + timedelta(seconds=1)).kind == "ended"
    assert decide(person, None, NOON).kind == "unknown"


@pytest.mark.parametrize(
    ("said", "stored"), [("es", "ES"), (" MX ", "MX"), ("XX", ""), ("T1", ""), ("ESP", ""), ("ñá", ""), ("", "")]
)
def test_a_country_is_two_letters_or_nothing(said: str, stored: str) -> None:
    assert country_of(said) == stored


@pytest.mark.parametrize(("header", "stored"), [("CF-IPCountry", "ES"), ("", "")])
def test_the_country_is_believed_only_from_the_header_that_the_settings_name(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch, header: str, stored: str
) -> None:
    settings = client.application.extensions["amplify"].settings.model_copy(update={"country_header": header})
    monkeypatch.setitem(client.application.extensions, "amplify", Amplify(settings))
    link = world.link(world.advocate())
    client.get(f"/s/{link.code}", headers={**PERSON, "CF-IPCountry": "es", "X-Country": "FR"})
    assert [click.country for click in clicks(world.session)] == [stored]
