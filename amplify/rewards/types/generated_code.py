"""Codes that Amplify makes from a pattern, with a check character; the shop accepts whatever fits (or asks our API)."""

import secrets

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, field_validator
from sqlalchemy.orm import Session

from amplify.core.db import insert_ignore
from amplify.core.errors import AmplifyError, Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.models import CodeSequence, Reward, RewardCode
from amplify.rewards.patterns import Pattern
from amplify.rewards.permutation import Permutation
from amplify.rewards.types import RewardType

DEFAULT_PATTERN = "THANKS-####-####"


class PatternSettings(BaseModel):
    """`pattern`: see rewards/patterns.py."""

    model_config = ConfigDict(extra="forbid")

    pattern: str = DEFAULT_PATTERN

    @field_validator("pattern")
    @classmethod
    def _readable(cls, text: str) -> str:
        try:
            return Pattern.read(text).text
        except AmplifyError as error:
            raise ValueError(str(error.message)) from error


class GeneratedCode(RewardType):
    """The n-th code of a brand's pattern is a keyed permutation of n: no two are equal, none follows from another."""

    name = "generated_code"
    label = _l("Codes made here")
    hint = _l("From a pattern such as THANKS-####-####; the last character finds typing errors.")
    icon = "sparkles"
    settings_model = PatternSettings

    def prepare(self, session: Session, reward: Reward) -> None:
        pattern = self._pattern(reward)
        if self._could_clash(session, reward.brand_id, pattern):
            raise Invalid(
                "settings.pattern",
                "pattern-overlaps",
                _l("Codes of this pattern could equal codes of yours that exist. Change its beginning."),
            )
        row = {"brand_id": reward.brand_id, "pattern": pattern.text, "key": secrets.token_hex(32), "taken": 0}
        insert_ignore(session, CodeSequence, [row])

    def available(self, session: Session, reward: Reward) -> int:
        pattern = self._pattern(reward)
        taken = session.scalar(sa.select(CodeSequence.taken).where(*self._own(reward, pattern)))
        return pattern.capacity - int(taken or 0)

    def reserve(self, session: Session, reward: Reward, count: int) -> list[str]:
        pattern = self._pattern(reward)
        count = min(count, self.available(session, reward))
        further = (
            sa.update(CodeSequence)
            .where(*self._own(reward, pattern), CodeSequence.taken + count <= pattern.capacity)
            .values(taken=CodeSequence.taken + count)
            .returning(CodeSequence.taken, CodeSequence.key)
            .execution_options(synchronize_session=False)
        )
        row = session.execute(further).one_or_none() if count > 0 else None
        if row is None:
            return []
        permute = Permutation(bytes.fromhex(row.key), *pattern.halves)
        return [pattern.write(permute(number)) for number in range(row.taken - count, row.taken)]

    def sample(self, reward: Reward) -> str:
        """Zeros are not among the characters of a code, so no shop takes it."""
        return self._pattern(reward).text.replace("#", "0")

    def _could_clash(self, session: Session, brand_id: int, pattern: Pattern) -> bool:
        others = sa.select(CodeSequence.pattern).where(
            CodeSequence.brand_id == brand_id, CodeSequence.pattern != pattern.text
        )
        if any(pattern.overlaps(Pattern(other)) for other in session.scalars(others)):
            return True
        uploaded = sa.exists().where(RewardCode.brand_id == brand_id, RewardCode.code.like(pattern.like))
        return bool(session.scalar(sa.select(uploaded)))

    def _pattern(self, reward: Reward) -> Pattern:
        return Pattern(reward.settings["pattern"])

    def _own(self, reward: Reward, pattern: Pattern) -> tuple[sa.ColumnElement[bool], ...]:
        return CodeSequence.brand_id == reward.brand_id, CodeSequence.pattern == pattern.text


reward_type = GeneratedCode()
