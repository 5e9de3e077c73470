"""What a shop tells us, checked: orders, amounts in minor units of an ISO 4217 currency, times with their zone."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from babel.numbers import list_currencies
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from amplify.core.errors import Invalid
from amplify.delivery import addresses

CURRENCIES = frozenset(list_currencies())


def _currency(code: str) -> str:
    if code not in CURRENCIES:
        raise PydanticCustomError("currency", "This is not the code of a currency (ISO 4217), such as EUR.")
    return code


def _visible(text: str) -> str:
    if not text.strip() or any(c < " " or c == "\x7f" for c in text):
        raise PydanticCustomError("id", "An id has 1 to 200 characters that can be seen.")
    return text


def _utc(at: datetime) -> datetime:
    """One instant is one body, in whichever zone it is told."""
    return at.astimezone(UTC)


def _mailbox(text: str) -> str:
    try:
        return addresses.check("buyer_email", text)
    except Invalid as error:
        raise PydanticCustomError("email", "This is not an e-mail address.") from error


Time = Annotated[AwareDatetime, AfterValidator(_utc)]
Id = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_visible)]
Mailbox = Annotated[str, Field(max_length=320), AfterValidator(_mailbox)]
Currency = Annotated[str, AfterValidator(_currency)]
# Minor units (cents): no order of anybody reaches a trillion of them, and sums stay far inside 64 bits.
AmountMinor = Annotated[int, Field(ge=0, le=10**15)]


class ConversionIn(BaseModel):
    """One order that followed a click. Telling it again changes nothing."""

    model_config = ConfigDict(extra="forbid")

    order_id: Id
    amount_minor: AmountMinor = Field(description="In minor units of the currency: 1999 is EUR 19.99.")
    currency: Currency
    occurred_at: Time
    click_id: uuid.UUID | None = Field(
        default=None, description="What the landing page got as amplify_click; none if the order has no such click."
    )
    buyer_email: Mailbox | None = Field(
        default=None,
        description="Who bought. Only a keyed hash of it is stored: it tells whether somebody bought through their own "
        "link, or one person again and again.",
    )


class RefundIn(BaseModel):
    """A full or partial refund or chargeback of an order told before. Telling it again changes nothing."""

    model_config = ConfigDict(extra="forbid")

    refund_id: Id
    order_id: Id
    amount_minor: AmountMinor
    currency: Currency
    occurred_at: Time


class ConversionOut(BaseModel):
    """What was made of it."""

    order_id: str
    attribution: str = Field(description="attributed, pending, or the rule why not")
    refunded_minor: int


class RefundOut(BaseModel):
    """What was made of it."""

    refund_id: str
    order_id: str
    refunded_minor: int = Field(description="All refunds of the order together")
    is_full: bool
