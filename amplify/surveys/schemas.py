"""What an answer looks like from outside, strictly: the same rules for the hosted page, machines and files."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from amplify.brands.services import slugify
from amplify.core import clock
from amplify.core.errors import Invalid
from amplify.delivery import phones
from amplify.surveys.models import SCALES

OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)  # clocks differ
MAX_COMMENT = 5000


def _printable(text: str) -> str:
    """Refuses control characters, but for tab and line ends, and lone surrogates, which no database takes."""
    if not text.isprintable():
        for char in text:
            if (char < " " and char not in "\t\n\r") or char == "\x7f" or "\ud800" <= char <= "\udfff":
                raise PydanticCustomError("unprintable", "The text contains characters that cannot be printed.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _one_line(text: str) -> str:
    if "\n" in (text := _printable(text)) or "\t" in text:
        raise PydanticCustomError("one_line", "The text must be one line.")
    return text


@lru_cache(maxsize=4096)  # a file names the same few lines and places in every row
def _nameable(text: str) -> str:
    if not slugify(text):
        raise PydanticCustomError("letter_or_digit", "The name needs at least one letter or digit.")
    return text


def _zone(name: str) -> str:
    if name not in clock.zone_names():
        raise PydanticCustomError("timezone", "This is no IANA time zone, such as Europe/Madrid.")
    return name


def _phone(text: str) -> str:
    try:
        return phones.check("phone", text)
    except Invalid as error:
        said = "This is no telephone number with its country, such as +34600123456."
        raise PydanticCustomError("phone", said) from error


Place = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_one_line),
    AfterValidator(_nameable),
]
Id = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)]
Line80 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80), AfterValidator(_one_line)]
Line200 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_one_line)]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_COMMENT), AfterValidator(_printable)]
# A language tag of BCP 47, such as "es" or "es-MX".
Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$", max_length=35)]
Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]
Phone = Annotated[str, StringConstraints(max_length=40), AfterValidator(_phone)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CustomerIn(_In):
    """Who answered. Without external id and e-mail the answer stays anonymous."""

    external_id: Id | None = Field(None, description="The customer's id in the sender's system.")
    email: EmailStr | None = None
    name: Line200 = ""
    locale: Tag | None = None
    timezone: Zone | None = None
    phone: Phone | None = Field(None, description="With its country, such as +34600123456; kept as E.164.")
    consent: bool | None = Field(None, description="May the brand write to them? Leave out if never asked.")
    sms_consent: bool | None = Field(None, description="May it send them text messages? A consent of its own.")

    @model_validator(mode="after")
    def _of_somebody(self) -> "CustomerIn":
        if self.phone and not self.has_contact:
            raise PydanticCustomError("phone_alone", "A telephone number needs an external id or an e-mail address.")
        return self

    @property
    def has_contact(self) -> bool:
        """Whether the person can be recognised again."""
        return bool(self.external_id or self.email)


class AnswerIn(_In):
    """One answer as a sender gives it. The same external id and revision again is a replay and changes nothing."""

    external_id: Id = Field(description="The answer's own id in the sender's system.")
    revision: int = Field(1, ge=1, le=1_000_000, description="Higher when the person edited their answer.")
    scale: Literal["nps", "csat5", "csat7"] = "nps"
    given: int = Field(description="As given on its scale: nps 0-10, csat5 1-5, csat7 1-7.")
    comment: Comment = ""
    customer: CustomerIn = CustomerIn()
    business_line: Place | None = Field(None, description="Key or name of the business line; a new one is created.")
    location: Place | None = Field(None, description="Key or name of the location; a new one is created.")
    employee_key: Line80 = ""
    touchpoint: Line80 = ""
    answered_at: AwareDatetime | None = Field(None, description="When the person answered; now if left out.")
    locale: Tag | None = None

    @field_validator("given")
    @classmethod
    def _on_scale(cls, value: int, info: ValidationInfo) -> int:
        low, high = SCALES.get(info.data.get("scale", ""), (value, value))
        if not low <= value <= high:
            raise PydanticCustomError(
                "out_of_scale", "On this scale the score is {low} to {high}.", {"low": low, "high": high}
            )
        return value

    @field_validator("answered_at")
    @classmethod
    def _plausible(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if value < OLDEST:
            raise PydanticCustomError("too_old", "Answers from before 1990 are not taken.")
        if value > clock.now() + AHEAD:
            raise PydanticCustomError("in_the_future", "The answer is from the future.")
        return value.astimezone(UTC)


class ResponseIn(AnswerIn):
    """An answer with where it came from: "hosted:<survey>", "signed:<key>", "api:<prefix>", "import:<name>"."""

    source: Id

    def body_hash(self) -> str:
        """SHA-256 of what the answer says, apart from its identity; a value left out equals its default."""
        said = self.model_dump(mode="json", exclude_defaults=True, exclude={"source", "external_id", "revision"})
        return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class CustomerOut(BaseModel):
    """Who answered, as far as the brand knows."""

    external_id: str | None
    email: str | None
    name: str


class ResponseOut(BaseModel):
    """A stored answer."""

    id: int
    source: str
    external_id: str
    revision: int
    is_superseded: bool
    scale: str
    given: int
    score: float = Field(description="Normalised to 0-10.")
    category: Literal["promoter", "passive", "detractor"]
    comment: str
    customer: CustomerOut | None
    business_line: str | None
    location: str | None
    employee_key: str
    touchpoint: str
    locale: str
    answered_at: datetime
    received_at: datetime


class ResponsePage(BaseModel):
    """Answers, the newest stored first; `next_cursor` is null on the last page."""

    items: list[ResponseOut]
    next_cursor: str | None


class ResponseFilter(BaseModel):
    """Which answers to list."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = Field(
        None, description="`next_cursor` of the page before."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    category: Literal["promoter", "passive", "detractor"] | None = None
    scale: Literal["nps", "csat5", "csat7"] | None = None
    business_line: Line80 | None = None
    location: Line80 | None = None
    source: Line200 | None = None
    since: AwareDatetime | None = Field(None, description="Answered at this instant or later.")
    until: AwareDatetime | None = Field(None, description="Answered before this instant.")
