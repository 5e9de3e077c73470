"""Between the order of an ask and its sending much can happen: then it does not leave, and its row says why."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.asks.models import Ask
from amplify.asks.policy import RULES
from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.core import clock, jobs
from amplify.customers.models import Customer
from amplify.customers.services import erase, find_or_create, withdraw_consent
from amplify.delivery import jobs as delivery_jobs
from amplify.delivery.models import Message
from amplify.delivery.services import suppress
from amplify.surveys.models import Response
from tests.sharing.making import a_live_brand, an_answer, the_campaign

ANA = {"email": "ana@friends.example", "name": "Ana", "consent": True}
Change = Callable[[Session, Brand, Customer], object]


def _now_an_employee(session: Session, brand: Brand, ana: Customer) -> None:
    ana.is_employee = True


def _declined(session: Session, brand: Brand, ana: Customer) -> None:
    session.scalars(sa.select(Ask)).one().declined_at = clock.now()


def _without_address(session: Session, brand: Brand, ana: Customer) -> None:
    ana.email = None


def _unhappy_in_a_file(session: Session, brand: Brand, ana: Customer) -> None:
    """Imported history tells nobody that it is stored."""
    first = session.scalars(sa.select(Response)).one()
    later = {"answered_at": first.answered_at + timedelta(days=1), "category": "detractor", "given": 2, "score": 2.0}
    same = {name: getattr(first, name) for name in ("brand_id", "customer_id", "scale")}
    session.add(Response(**same, **later, source="import:x", external_id="i-1", body_hash="0" * 64))


def _withdrawn_elsewhere(session: Session, brand: Brand, ana: Customer) -> None:
    find_or_create(session, brand, email=ana.email, consent=False, consent_source="api:x")


def _paused(session: Session, brand: Brand, ana: Customer) -> None:
    campaigns.pause(session, the_campaign(session, brand), "user:1")


def _stopped(session: Session, brand: Brand, ana: Customer) -> None:
    the_campaign(session, brand).state = "stopped"


CHANGES: dict[str, tuple[Change, str]] = {
    "consent withdrawn": (lambda session, brand, ana: withdraw_consent(session, ana), "no-consent"),
    "consent withdrawn by another system": (_withdrawn_elsewhere, "no-consent"),
    "suppressed": (lambda session, brand, ana: suppress(session, brand.id, str(ana.email), "complained"), "suppressed"),
    "erased": (lambda session, brand, ana: erase(session, ana, "user:1"), "erased"),
    "employee": (_now_an_employee, "insider"),
    "declined on the page": (_declined, "declined"),
    "without an address": (_without_address, "no-address"),
    "unhappy since": (_unhappy_in_a_file, "detractor-since"),
    "campaign paused": (_paused, "no-campaign"),
    "campaign stopped": (_stopped, "no-campaign"),
}  # fmt: skip


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_live_brand(session, quiet_from_hour=0, quiet_until_hour=0)


def ordered(session: Session, brand: Brand) -> Message:
    """The ask mail to Ana, not sent yet."""
    an_answer(session, brand, source="signed:shop", external_id="w-1", customer=ANA)
    return session.scalars(sa.select(Message)).one()


def send(session: Session) -> None:
    """What the worker does, until nothing is left to do."""
    jobs.drain(session)
    while delivery_jobs.release_due(session):
        jobs.drain(session)
    session.expire_all()


def test_an_ask_to_which_nothing_happened_leaves(session: Session, brand: Brand) -> None:
    mail = ordered(session, brand)
    send(session)
    assert (mail.state, mail.reason) == ("sent", "")


@pytest.mark.parametrize("moment", ["ordered", "handed to the job engine"])
@pytest.mark.parametrize("change", CHANGES)
def test_an_ask_that_must_not_leave_any_more_does_not(
    session: Session, brand: Brand, capsys: pytest.CaptureFixture[str], moment: str, change: str
) -> None:
    mail = ordered(session, brand)
    if moment != "ordered":
        delivery_jobs.release_due(session)
    happen, rule = CHANGES[change]
    happen(session, brand, session.scalars(sa.select(Customer)).one())
    session.commit()
    send(session)
    assert mail.sent_at is None
    assert (mail.state, mail.reason) == ("cancelled" if change == "erased" else "suppressed", rule)
    assert rule in RULES
    assert "Message-ID" not in capsys.readouterr().out
