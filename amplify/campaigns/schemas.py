"""What a marketer gives for a campaign, checked in type and size; the rules about content are in policy.py."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from amplify.campaigns.recurrence import RepeatsIn
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l

AUDIENCE_KINDS = ("top_n", "top_percent", "min_score", "tier")
HIGHEST = {"top_n": 1_000_000, "top_percent": 100, "min_score": 1_000_000_000, "tier": 3}
# What names the ranking: at most one of them; none: the whole brand's.
BOARDS = ("location_id", "business_line_id", "campaign_id")
# With more kept back there would be more measuring than rewarding.
MOST_HELD_OUT = 50
# Neither database takes NUL as text, and lone surrogates are no text at all; a newline is fine.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def _printable(text: str) -> str:
    if UNPRINTABLE.search(text):
        raise ValueError("holds characters that cannot be printed")
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _one_line(text: str) -> str:
    text = _printable(text)
    if "\n" in text:
        raise ValueError("must be one line")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
Prose = Annotated[str, AfterValidator(_printable)]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AudienceIn(_In):
    """Whom the start rewards: so much of a ranking, among the members of a segment, and who of them gets nothing.

    `value`: how many, which percent, how many points (decayed) at least, or which tier (1 gold, 2 silver, 3 bronze).
    Segment: what is not said does not matter. Days are the brand's own. Left out, though they were chosen: whom a list
    of `exclude` names, who was rewarded in the last `not_rewarded_days`, and at random `holdout_percent` of the others.
    """

    kind: Literal["top_n", "top_percent", "min_score", "tier"] = "top_n"
    value: Annotated[int, Field(ge=1)] = 50
    location_id: Id | None = None
    business_line_id: Id | None = None
    campaign_id: Id | None = None
    locale: Literal["", "en", "es"] = ""
    channel: Annotated[Line, Field(max_length=40)] = ""
    joined_since: date | None = None
    active_since: date | None = None
    not_rewarded_days: Annotated[int, Field(ge=0, le=3_650)] = 0
    exclude: Annotated[list[Id], Field(max_length=20)] = Field(default_factory=list)
    holdout_percent: Annotated[int, Field(ge=0, le=MOST_HELD_OUT)] = 0

    @model_validator(mode="after")
    def _in_range(self) -> "AudienceIn":
        if self.value > HIGHEST[self.kind]:
            raise ValueError(f"value: at most {HIGHEST[self.kind]}")
        if sum(getattr(self, name) is not None for name in BOARDS) > 1:
            raise ValueError("a location, a business line or a campaign: one of them")
        return self

    def stored(self) -> dict[str, Any]:
        """The rule as the row keeps it: how much of which ranking, and what else was said."""
        always = ("kind", "value", "location_id", "business_line_id")
        return {name: said for name, said in self.model_dump(mode="json").items() if said or name in always}


class TextsIn(_In):
    """The words of one language. `share_text` is a starting point the customer edits; `disclosure` stands first."""

    headline: Annotated[Line, Field(max_length=120)] = ""
    share_text: Annotated[Prose, Field(max_length=500)] = ""
    disclosure: Annotated[Line, Field(max_length=200)] = ""
    reward_subject: Annotated[Line, Field(max_length=150)] = ""
    reward_text: Annotated[Prose, Field(max_length=2000)] = ""


class CampaignIn(_In):
    """A campaign as it is written. Times are wall times ("2026-11-22T09:00") of `timezone`; empty: not decided."""

    name: Annotated[Line, Field(min_length=1, max_length=200)]
    landing_url: Annotated[Line, Field(min_length=1, max_length=2000)]
    audience: AudienceIn = AudienceIn()
    texts: dict[Literal["en", "es"], TextsIn] = Field(default_factory=dict)
    starts_local: Annotated[Line, Field(max_length=16)] = ""
    ends_local: Annotated[Line, Field(max_length=16)] = ""
    timezone: Annotated[Line, Field(min_length=1, max_length=64)] = "UTC"
    repeats: RepeatsIn | None = None

    def plain_texts(self) -> dict[str, dict[str, str]]:
        """The texts as the row keeps them."""
        return {locale: texts.model_dump() for locale, texts in self.texts.items()}


class AlwaysOnIn(_In):
    """The always-on campaign as it is written: it has no start, no audience and no reward."""

    landing_url: Annotated[Line, Field(min_length=1, max_length=2000)]
    texts: dict[Literal["en", "es"], TextsIn] = Field(default_factory=dict)

    def plain_texts(self) -> dict[str, dict[str, str]]:
        """The texts as the row keeps them."""
        return {locale: texts.model_dump() for locale, texts in self.texts.items()}


def read(model: type[BaseModel], data: Mapping[str, Any]) -> Any:
    """The data as this model. Raises Invalid naming the first field that does not fit."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise Invalid(
            field, first["type"].replace("_", "-"), _l("This value does not fit: %(why)s", why=first["msg"])
        ) from error
