"""What a marketer gives for a campaign, checked in type and size; the rules about content are in policy.py."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from amplify.campaigns.recurrence import RepeatsIn
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l

AUDIENCE_KINDS = ("top_n", "top_percent", "min_score")
HIGHEST = {"top_n": 1_000_000, "top_percent": 100, "min_score": 1_000_000_000}
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
    """Whom the start rewards. `value`: how many, which percent, or how many points (decayed) at least."""

    kind: Literal["top_n", "top_percent", "min_score"] = "top_n"
    value: Annotated[int, Field(ge=1)] = 50
    location_id: Id | None = None
    business_line_id: Id | None = None

    @model_validator(mode="after")
    def _in_range(self) -> "AudienceIn":
        if self.value > HIGHEST[self.kind]:
            raise ValueError(f"value: at most {HIGHEST[self.kind]}")
        if self.location_id is not None and self.business_line_id is not None:
            raise ValueError("a location or a business line, not both")
        return self


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
