"""Ninety days of the demo brand, lived day by day through the real services: answers, asks, shares, clicks, orders."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.asks import services as asks
from amplify.asks.models import Ask
from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock, jobs
from amplify.demo import people, texts
from amplify.sharing.models import Advocate, ShareLink
from amplify.sharing.services import link_for, open_share, show_name
from amplify.surveys.models import Response
from amplify.surveys.schemas import CustomerIn, ResponseIn
from amplify.surveys.services import record_response
from amplify.tracking.conversions import record_conversion, record_refund
from amplify.tracking.models import Click
from amplify.tracking.schemas import ConversionIn, RefundIn
from amplify.wiring import ROUNDS

DAYS = 90
ANSWERS = 2_000
ORDERS_PER_CLICK = 0.045
ROUND = 5_000


class History:
    """What is still to happen, in order, and the hands that make it happen."""

    def __init__(self, session: Session, brand: Brand, random: Random, begins: datetime) -> None:
        self.session, self.brand, self.random, self.begins = session, brand, random, begins
        self.ends = begins + timedelta(days=DAYS)
        self._queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._clicks: list[dict[str, Any]] = []

    def at(self, instant: datetime, happen: Callable[[], None]) -> None:
        """Let this happen at that instant, if it lies in the story."""
        if instant < self.ends:
            heappush(self._queue, (instant, next(self._order), happen))

    def plan_answers(self, answers: int = ANSWERS) -> None:
        """Spread the answers over the days, a little more towards today."""
        everybody = people.guests(self.random)
        for number in range(answers):
            day = DAYS * self.random.random() ** 0.8
            guest = self.random.choice(everybody)
            self.at(self.begins + timedelta(days=day), self._answer(number, guest))

    def _answer(self, number: int, guest: people.Guest) -> Callable[[], None]:
        given = people.score(self.random)
        said = people.comment(self.random, guest, given)

        def happen() -> None:
            answer = ResponseIn(
                source="hosted:stay",
                external_id=f"demo-{number}",
                given=given,
                comment=said,
                customer=CustomerIn(
                    email=guest.email,
                    name=guest.name,
                    locale=guest.locale,
                    timezone=texts.ZONES[guest.location],
                    consent=self.random.random() < 0.86,
                ),
                business_line=guest.line,
                location=guest.location,
                touchpoint="checkout",
                answered_at=clock.now(),
                locale=guest.locale,
            )
            self._go_on(record_response(self.session, self.brand, answer).response, guest)

        return happen

    def _go_on(self, response: Response, guest: people.Guest) -> None:
        """What the guest does with the ask on the page: share, say no, or just leave."""
        ask = self.session.scalar(sa.select(Ask).where(Ask.response_id == response.id, Ask.mode == "page"))
        if ask is None:
            return
        asks.mark_shown(ask, clock.now())
        mood = self.random.random()
        if mood < 0.31:
            asks.mark_opened(ask, clock.now())
            self._share(ask, response, guest)
        elif mood < 0.45:
            ask.declined_at = clock.now()

    def _share(self, ask: Ask, response: Response, guest: people.Guest) -> None:
        advocate = self.session.get_one(Advocate, ask.advocate_id)
        campaign = self.session.get_one(Campaign, ask.campaign_id)
        if self.random.random() < 0.3:
            first, last = guest.name.split()
            show_name(self.session, advocate, f"{first} {last[0]}.")
        words = response.comment or self.random.choice(texts.SUGGESTIONS[guest.locale])
        disclosure = campaign.text(guest.locale, "disclosure") if campaign.is_rewarded else ""
        for channel in people.channels(self.random):
            link = link_for(
                self.session, self.brand, advocate, campaign, channel, locale=guest.locale, response=response
            )
            open_share(self.session, link, words, response, disclosure=disclosure)
            for click in people.clicks(self.random, guest, channel, link.id, clock.now()):
                self.at(click["at"], self._click(click))

    def _click(self, click: dict[str, Any]) -> Callable[[], None]:
        def happen() -> None:
            self._clicks.append(click)
            is_person = click["user_agent"] in texts.PEOPLE
            if is_person and self.random.random() < ORDERS_PER_CLICK:
                later = click["at"] + timedelta(hours=self.random.uniform(0.2, 60))
                self.at(later, self._order_from(click))

        return happen

    def bring_a_crowd(self) -> None:
        """The newest link is visited as no link is: what the review has to decide."""
        link_id = self.session.scalar(sa.select(sa.func.max(ShareLink.id)).where(ShareLink.brand_id == self.brand.id))
        if link_id is not None:
            # A dice of its own: the rest of the story stays as it is.
            for click in people.crowd(Random(link_id), link_id, clock.now()):  # noqa: S311 - a story, no secret
                self.at(click["at"], partial(self._clicks.append, click))

    def _order_from(self, click: dict[str, Any]) -> Callable[[], None]:
        amount = self.random.randrange(9_000, 64_000, 100)
        order = f"BR-{self.random.randrange(10**8):08d}"

        def happen() -> None:
            self._store_clicks()
            told = ConversionIn(
                order_id=order, amount_minor=amount, currency="EUR", occurred_at=clock.now(), click_id=click["token"]
            )
            record_conversion(self.session, self.brand.id, told, window_days=90)
            if self.random.random() < 0.06:
                self.at(clock.now() + timedelta(days=self.random.uniform(1, 12)), lambda: self._refund(order, amount))

        return happen

    def _refund(self, order: str, amount: int) -> None:
        told = RefundIn(
            refund_id=f"RF-{order}", order_id=order, amount_minor=amount, currency="EUR", occurred_at=clock.now()
        )
        record_refund(self.session, self.brand.id, told)

    def _store_clicks(self) -> None:
        if self._clicks:
            self.session.execute(sa.insert(Click), self._clicks)
            self._clicks.clear()

    def live(self) -> Iterator[int]:
        """Let everything happen; yields each finished day, committed, judged and ranked."""
        for day in range(1, DAYS + 1):
            until = self.begins + timedelta(days=day)
            while self._queue and self._queue[0][0] < until:
                instant, _, happen = heappop(self._queue)
                with clock.at(instant):
                    happen()
            with clock.at(until):
                self.work()
            yield day

    def work(self) -> None:
        """What the worker would do now."""
        self._store_clicks()
        self.session.commit()
        for round_ in ROUNDS:
            while round_(self.session, ROUND):
                self.session.commit()
            self.session.commit()
        jobs.drain(self.session)


@contextmanager
def told(session: Session, instant: datetime) -> Iterator[None]:
    """Inside, it is `instant`; what was done is committed."""
    with clock.at(instant):
        yield
        session.commit()
