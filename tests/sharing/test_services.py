"""Advocates, links and shares: each once, whoever asks and however often."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock, events
from amplify.core.db import Base
from amplify.core.errors import Gone, Invalid, NotFound
from amplify.core.tokens import Signer
from amplify.customers.services import anonymous
from amplify.sharing import drafts, services
from amplify.sharing.channel import channel_named
from amplify.sharing.events import ShareConfirmed
from amplify.sharing.models import Advocate, Share, ShareLink
from amplify.sharing.opening import open_channel
from amplify.sharing.pseudonyms import BIRDS, COLOURS, pseudonym
from amplify.sharing.tokens import me_token, read_me, read_token
from tests.sharing.making import SIGNER, a_customer, a_live_brand, a_visit, the_campaign, token_of


def test_a_customer_has_one_advocate_with_a_friendly_name(session: Session) -> None:
    brand = a_live_brand(session)
    customer = a_customer(session, brand)
    advocate = services.advocate_of(session, customer)
    assert services.advocate_of(session, customer) is advocate
    colour, bird, number = advocate.pseudonym.split()
    assert colour in COLOURS
    assert bird in BIRDS
    assert number.isdigit()
    assert advocate.public_name == advocate.pseudonym


def test_pseudonyms_do_not_run_out() -> None:
    assert len(COLOURS) * len(BIRDS) * 90 > 140_000
    assert len(pseudonym(10).split()[2]) == 4


def test_two_brands_know_nothing_of_each_others_links(session: Session) -> None:
    one, two = a_live_brand(session, "one"), a_live_brand(session, "two")
    first = a_visit(session, one)
    second = a_visit(session, two)
    assert first.advocate.id != second.advocate.id
    assert first.advocate.brand_id == one.id


def test_a_link_is_made_once_per_advocate_campaign_and_channel(session: Session) -> None:
    brand = a_live_brand(session)
    visit = a_visit(session, brand, location="Madrid")
    made = [
        services.link_for(session, brand, visit.advocate, visit.campaign, name, locale="es", response=visit.response)
        for name in ("x", "x", "mail")
    ]
    assert made[0] is made[1]
    assert len({link.code for link in made}) == 2
    assert visit.response is not None
    assert made[0].location_id == visit.response.location_id is not None
    assert (made[0].locale, made[0].target_url) == ("es", "https://shop.example/")


def test_a_link_never_leads_to_a_host_the_brand_does_not_allow(session: Session) -> None:
    brand = a_live_brand(session)
    visit = a_visit(session, brand)
    brand.target_hosts = ["elsewhere.example"]
    with pytest.raises(Invalid) as refused:
        services.link_for(session, brand, visit.advocate, visit.campaign, "x", locale="en")
    assert refused.value.rule == "target-host"


def test_calls_at_once_make_one_advocate_and_one_link(new_database: Callable[[], str]) -> None:
    engine = sa.create_engine(new_database().replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        brand = a_live_brand(session)
        customer = a_customer(session, brand)
        ids = brand.id, customer.id, the_campaign(session, brand).id
        session.commit()

    def ask(_n: int) -> tuple[int, str]:
        from amplify.brands.models import Brand
        from amplify.campaigns.models import Campaign
        from amplify.customers.models import Customer

        with Session(engine) as session:
            brand, customer = session.get_one(Brand, ids[0]), session.get_one(Customer, ids[1])
            advocate = services.advocate_of(session, customer)
            link = services.link_for(session, brand, advocate, session.get_one(Campaign, ids[2]), "x", locale="en")
            found = advocate.id, link.code
            session.commit()
            return found

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(ask, range(18)))) == 1
    with Session(engine) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Advocate)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(ShareLink)) == 1
    engine.dispose()


def test_a_share_is_an_intent_until_a_human_clicked_after_it(session: Session) -> None:
    brand = a_live_brand(session)
    visit = a_visit(session, brand)
    link = services.link_for(session, brand, visit.advocate, visit.campaign, "x", locale="en")
    heard: list[ShareConfirmed] = []
    before = dict(events._reactions)
    events.wire({ShareConfirmed: [lambda _s, fact: heard.append(fact)]})
    now = clock.now()
    assert services.confirm(session, link, now, 1) is None  # a click, and nobody shared

    share = services.open_share(session, link, "Go there", visit.response)
    assert share.state == "opened"
    assert services.confirm(session, link, now - timedelta(hours=1), 2) is None  # clicked before it was shared
    later = clock.now() + timedelta(minutes=5)
    assert services.confirm(session, link, later, 3) is share
    assert (share.state, share.confirmed_at) == ("confirmed", later)
    assert services.confirm(session, link, later, 4) is None  # a second click confirms nothing new
    assert [fact.share for fact in heard] == [share]
    events.wire(before)


def test_a_name_is_shown_with_consent_and_taken_back(session: Session) -> None:
    advocate = a_visit(session, a_live_brand(session)).advocate
    services.show_name(session, advocate, "Ana P.")
    assert (advocate.public_name, advocate.on_board) == ("Ana P.", True)
    assert advocate.shown_name_at is not None
    services.show_name(session, advocate, None, on_board=False)
    assert (advocate.public_name, advocate.on_board) == (advocate.pseudonym, False)
    assert not advocate.shown_name


def test_a_token_says_who_comes_until_it_expires_or_is_revoked(session: Session, time_machine: object) -> None:
    visit = a_visit(session, a_live_brand(session))
    token = token_of(visit)
    assert read_token(session, SIGNER, token, max_age_days=30) == visit
    with pytest.raises(NotFound):
        read_token(session, SIGNER, token[:-5] + ("A" if token[-5] != "A" else "B") + token[-4:])
    with pytest.raises(NotFound):
        read_token(session, Signer("another secret", "share"), token)
    visit.advocate.token_epoch += 1
    with pytest.raises(Gone) as revoked:
        read_token(session, SIGNER, token)
    assert revoked.value.rule == "link-revoked"
    fresh = token_of(visit)
    time_machine.move_to(clock.now() + timedelta(days=31))  # type: ignore[attr-defined]
    with pytest.raises(Gone):
        read_token(session, SIGNER, fresh, max_age_days=30)


def test_the_own_browser_is_recognised_and_a_forged_cookie_says_nothing(session: Session) -> None:
    signer = Signer("s", "me")
    advocate = a_visit(session, a_live_brand(session)).advocate
    assert read_me(signer, me_token(signer, advocate)) == advocate.id
    for value in (None, "", "x", "a.b.c", me_token(Signer("t", "me"), advocate), signer.sign({"a": 1})):
        assert read_me(signer, value) is None


def test_the_first_draft_is_the_comment_as_it_was_written(session: Session) -> None:
    brand = a_live_brand(session)
    visit = a_visit(session, brand, "  So  good!\nReally. ")
    draft = drafts.first_draft(session, brand, visit.campaign, visit.advocate, visit.response, "en")
    assert draft == "So  good!\nReally."


def test_two_accounts_never_start_from_the_same_words_that_one_has_shared(session: Session) -> None:
    brand = a_live_brand(session)
    campaign = the_campaign(session, brand)
    seen = set()
    for n in range(45):
        advocate = services.advocate_of(session, anonymous(session, brand, "en"))
        words = drafts.first_draft(session, brand, campaign, advocate, None, "en")
        assert words not in seen
        seen.add(words)
        link = services.link_for(session, brand, advocate, campaign, "x", locale="en")
        services.open_share(session, link, words)
        assert words == drafts.first_draft(session, brand, campaign, advocate, None, "en"), n  # one's own stays
    assert len(seen) == 45  # of the 50 there are


def test_words_that_somebody_else_shared_are_kindly_refused(session: Session) -> None:
    brand = a_live_brand(session)
    one = a_visit(session, brand)
    two = a_visit(session, brand, "Just lovely.", external_id="a-2", customer={"email": "ben@friends.example"})
    said = {"answers": {}, "locale": "en", "base_url": "https://a.example"}
    channel = channel_named("x")
    open_channel(session, one, brand, channel, words="Worth telling: quiet rooms", **said)  # type: ignore[arg-type]
    with pytest.raises(Invalid) as refused:
        open_channel(session, two, brand, channel, words="worth telling, quiet rooms!", **said)  # type: ignore[arg-type]
    assert refused.value.rule == "own-words"
    open_channel(session, one, brand, channel, words="Just lovely.", **said)  # type: ignore[arg-type]
    open_channel(session, two, brand, channel, words="Just lovely.", **said)  # type: ignore[arg-type] # their own answer
    assert session.scalar(sa.select(sa.func.count()).select_from(Share)) == 3
