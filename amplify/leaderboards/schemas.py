"""The leaderboard as machines ask for it and get it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

Id = Field(None, ge=1, le=2**63 - 1)


class BoardFilter(BaseModel):
    """Which board: of a location, else a business line, else a campaign, else the whole brand."""

    model_config = ConfigDict(extra="ignore")

    campaign: int | None = Id
    location: int | None = Id
    business_line: int | None = Id

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        """A form sends every select, also those left at "All"."""
        return None if value == "" else value


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


class BoardOut(BaseModel):
    """The top of one board. Advocates who left it keep their place and are not listed, so ranks may have gaps."""

    board: str
    half_life_days: float
    ranked: int
    as_of: datetime
    rows: list[RankedOut]
