"""The whole set through the real path: read like a request, stored like a click, judged by the worker's round."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.asks.models import Ask
from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.customers.models import Customer
from amplify.delivery.models import Message
from amplify.sharing.models import Advocate, ShareLink
from amplify.surveys.models import Response
from amplify.tracking.models import ClickVerdict
from amplify.tracking.redirect import read_hit
from amplify.tracking.services import record_click, track
from tools.clicks.requests import Request

START = datetime(2026, 10, 14, 12, tzinfo=UTC)
TARGET = "https://shop.example/landing"
SECRET = "replay"  # noqa: S105  of a database that is gone afterwards

Row = TypeVar("Row")


class Judged(NamedTuple):
    """A request and what we said of it."""

    request: Request
    verdict: str
    rule: str


def replay(session: Session, requests: Sequence[Request], *, at_once: int = 1) -> list[Judged]:
    """Judge every request, so many at once: with one, each before anything of the next is known."""
    links, ids = _Links(session), []
    for start in range(0, len(requests), at_once):
        ids += [_store(session, links, request) for request in requests[start : start + at_once]]
        while track(session, at_once):
            pass
    rows = session.execute(sa.select(ClickVerdict.click_id, ClickVerdict.verdict, ClickVerdict.rule))
    verdicts = {row.click_id: (row.verdict, row.rule) for row in rows}
    return [Judged(request, *verdicts[click_id]) for request, click_id in zip(requests, ids, strict=True)]


def _store(session: Session, links: "_Links", request: Request) -> int:
    link_id = links.of(request)
    hit = read_hit(request.method, request.headers.get, is_own=request.own)
    n = request.network
    address = f"{11 + n // 65536}.{n // 256 % 256}.{n % 256}.7"
    at = START + timedelta(seconds=request.at)
    return record_click(session, link_id, hit, address=address, secret=SECRET, at=at).id


class _Links:
    """Advocates, their links and the mails that led to them, made when the first request needs them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._brand = self._keep(Brand(slug="replay", name="Replay", target_hosts=["shop.example"]))
        campaign = Campaign(brand_id=self._brand.id, name="Replay", state="live", landing_url=TARGET, texts={})
        self._campaign = self._keep(campaign)
        self._advocates: dict[int, int] = {}
        self._links: dict[tuple[int, str], int] = {}

    def of(self, request: Request) -> int:
        """The id of the request's link."""
        key = request.advocate, request.channel
        if key not in self._links:
            self._links[key] = self._link(*key, self._advocate(request))
        return self._links[key]

    def _link(self, number: int, channel: str, advocate_id: int) -> int:
        ids = {"brand_id": self._brand.id, "advocate_id": advocate_id, "campaign_id": self._campaign.id}
        link = ShareLink(**ids, code=f"r{number}-{channel}"[:16], channel=channel, target_url=TARGET)
        return self._keep(link).id

    def _advocate(self, request: Request) -> int:
        number = request.advocate
        if number not in self._advocates:
            customer = self._keep(Customer(brand_id=self._brand.id, email=f"someone{number}@example.org"))
            ids = {"brand_id": self._brand.id, "customer_id": customer.id}
            self._advocates[number] = self._keep(Advocate(**ids, pseudonym=f"Advocate {number}")).id
            if request.since_mail is not None:
                self._mail(customer, number, START + timedelta(seconds=request.at - request.since_mail))
        return self._advocates[number]

    def _mail(self, customer: Customer, number: int, sent_at: datetime) -> None:
        """The ask that this advocate was sent."""
        answer = Response(
            brand_id=self._brand.id, customer_id=customer.id, source="replay", external_id=str(number), body_hash="",
            scale="nps", given=10, score=10.0, category="promoter", answered_at=sent_at,
        )  # fmt: skip
        message = Message(
            brand_id=self._brand.id, message_id=f"{number}@replay", channel="email", template="ask", locale="en",
            address=customer.email, state="sent", sent_at=sent_at,
        )  # fmt: skip
        ask = Ask(
            brand_id=self._brand.id, response_id=self._keep(answer).id, advocate_id=self._advocates[number],
            campaign_id=self._campaign.id, mode="mail", message_id=self._keep(message).id,
        )  # fmt: skip
        self._keep(ask)

    def _keep(self, row: Row) -> Row:
        self._session.add(row)
        self._session.flush()
        return row
