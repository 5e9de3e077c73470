"""The leaderboard as machines ask for it and get it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Id = Field(None, ge=1, le=2**63 - 1)


class BoardFilter(BaseModel):
    """Which board. All time takes one filter: a location, else a line, else a channel, else a campaign. The last days
    and a campaign's period take all of them together."""

    model_config = ConfigDict(extra="ignore")

    campaign: int | None = Id
    location: int | None = Id
    business_line: int | None = Id
    channel: str | None = Field(None, min_length=1, max_length=40)
    window: Literal["all", "7", "30", "90", "campaign"] = "all"

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        """A form sends every select, also those left at "All"."""
        return None if value == "" else value


class OwnFilter(BaseModel):
    """Which board an advocate looks at: all time, the campaign they came with, or the last days."""

    board: Literal["all", "campaign", "7", "30", "90"] = "all"


class BoardQuery(BoardFilter):
    """What the resource takes."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=100)


class RankedOut(BaseModel):
    """One advocate. Scores are points now; `recognition` counts acts of sharing too and earns nothing."""

    rank: int
    advocate: str = Field(description="The name they agreed to, else a pseudonym")
    score: float
    recognition: float
    human_clicks: int
    raw_clicks: int
    conversions: int
    shares: int


class RatedOut(BaseModel):
    """One advocate's purchases per human click, shrunk toward the brand's mean, with its 95 % credible interval."""

    rank: int
    advocate: str = Field(description="The name they agreed to, else a pseudonym")
    rate: float
    low: float
    high: float
    conversions: int
    human_clicks: int


class RatesOut(BaseModel):
    """The top by rate. Ranked by `low`; `too_few` have fewer than `least_clicks` clicks and are not ranked."""

    window: str
    left_out: list[str]
    mean: float = Field(description="Purchases per human click of the whole board")
    strength: float = Field(description="How many clicks the mean is worth against a person's own")
    least_clicks: int
    ranked: int
    too_few: int
    as_of: datetime
    rows: list[RatedOut]


class BoardOut(BaseModel):
    """The top of one board. Advocates who left it keep their place and are not listed, so ranks may have gaps."""

    board: str
    window: str = Field(description="all: decayed; 7, 30, 90: the last days; campaign: its period (both not decayed)")
    half_life_days: float
    tie_rule: str
    left_out: list[str] = Field(description="Filters that this window cannot combine")
    ranked: int
    as_of: datetime
    rows: list[RankedOut]
