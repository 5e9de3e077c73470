"""What a marketer gives for a reward, checked in type and size. Money in integer minor units."""

from datetime import date
from typing import Annotated, Any, Literal

from babel.numbers import list_currencies
from pydantic import BaseModel, ConfigDict, Field, field_validator

from amplify.campaigns.schemas import Line

MOST_MINOR = 10**15
MOST_TIMES = 100
Minor = Annotated[int, Field(ge=0, le=MOST_MINOR)]


class RuleIn(BaseModel):
    """What the reward hangs on (campaigns/policy.py says what it may), and when it is given: by a start, or as soon as
    somebody reaches each further `at_least`, at most `times` times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trigger: Annotated[Line, Field(max_length=40)] = "rank"
    at_least: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    when: Literal["start", "reached"] = "start"
    times: Annotated[int, Field(ge=1, le=MOST_TIMES)] = 1

    def plain(self) -> dict[str, Any]:
        """The rule as the row keeps it."""
        return self.model_dump(exclude={"when", "times"} if self.when == "start" else None)


class RewardIn(BaseModel):
    """A reward as it is written. `expires_on`: its last day, in the campaign's time zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Annotated[Line, Field(max_length=40)]
    name: dict[Literal["en", "es"], Annotated[Line, Field(max_length=120)]]
    value_minor: Minor = 0
    currency: Annotated[Line, Field(min_length=3, max_length=3)]
    budget_minor: Minor | None = None
    cap_pushes: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    cap_total: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    cap_day: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    cap_person: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    rule: RuleIn = RuleIn()
    settings: dict[str, Any] = Field(default_factory=dict)
    expires_on: date | None = None

    @field_validator("currency")
    @classmethod
    def _iso_4217(cls, code: str) -> str:
        if code.upper() not in list_currencies():
            raise ValueError("is no ISO 4217 currency")
        return code.upper()
