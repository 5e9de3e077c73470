"""The address of a hosted survey: what may stand in it, and how it is read. Only its signed token is trusted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand, BusinessLine, Location
from amplify.brands.services import slugify
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.tokens import Signer
from amplify.customers.models import Customer
from amplify.surveys import queries
from amplify.surveys.models import SCALES, Survey

# The token `t` names the customer, and the invitation if there was one: both only because it is signed.
PURPOSE = "survey"
LONGEST = 80


@dataclass(frozen=True)
class Link:
    """What the address says about the answer to come. Unknown lines and places are left out: anybody can write them."""

    score: int | None = None
    is_off_scale: bool = False
    business_line: BusinessLine | None = None
    location: Location | None = None
    employee_key: str = ""
    touchpoint: str = ""
    customer: Customer | None = None
    invitation: str | None = None


def survey_url(base_url: str, brand: Brand, survey: Survey, **parameters: str | None) -> str:
    """The survey's address with lang, line, location, employee, touchpoint, score or t; None is left out."""
    given = {name: value for name, value in parameters.items() if value is not None}
    address = f"{base_url}/b/{quote(brand.slug)}/survey/{quote(survey.key)}"
    return f"{address}?{urlencode(given)}" if given else address


def survey_token(signer: Signer, customer: Customer, invitation: str | None = None) -> str:
    """`t`: who is asked. `signer` is of PURPOSE. An invitation is answered once, however often its link is used."""
    return signer.sign({"customer": customer.id, "invitation": invitation} if invitation else customer.id)


def read_link(session: Session, brand: Brand, survey: Survey, signer: Signer, query: Mapping[str, str]) -> Link:
    """What a survey's address says. Raises NotFound when the token was not signed by us or is another brand's."""
    score = _score(query.get("score"))
    low, high = SCALES[survey.scale]
    fits = score is not None and low <= score <= high
    customer, invitation = _read_token(session, brand, signer, query.get("t"))
    return Link(
        score=score if fits else None,
        is_off_scale=bool(query.get("score")) and not fits,
        business_line=_place(session, brand, "business_line", query.get("line")),
        location=_place(session, brand, "location", query.get("location")),
        employee_key=_word(query.get("employee")),
        touchpoint=_word(query.get("touchpoint")) or survey.touchpoint,
        customer=customer,
        invitation=invitation,
    )


def _score(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 2 else None


def _word(text: str | None) -> str:
    word = (text or "").strip()
    return word if len(word) <= LONGEST and word.isprintable() else ""


def _place(session: Session, brand: Brand, dimension: queries.Dimension, text: str | None) -> Any:
    return queries.place_by_key(session, brand.id, dimension, slugify((text or "")[:200]))


def _read_token(
    session: Session, brand: Brand, signer: Signer, token: str | None
) -> tuple[Customer | None, str | None]:
    if not token:
        return None, None
    payload = signer.read(token)
    named = payload if isinstance(payload, dict) else {"customer": payload}
    mine = sa.select(Customer).where(Customer.brand_id == brand.id, Customer.id == named.get("customer"))
    customer = session.scalar(mine)
    if customer is None:
        raise NotFound(_l("This link is not valid."), rule="link-unknown")
    # Who asked to be forgotten may still answer, as anybody.
    return (customer if customer.erased_at is None else None), named.get("invitation")
