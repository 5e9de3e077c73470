"""Codes that Amplify makes from a pattern, with a check character; the shop accepts whatever fits (or asks our API)."""

import secrets
from collections.abc import Sequence
from typing import Any, ClassVar

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, field_validator
from sqlalchemy.orm import Session

from amplify.core.bulk import insert_ignore
from amplify.core.errors import AmplifyError, Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.models import CodeSequence, Push, Reward, RewardCode
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
    """A code is a keyed permutation of its push's id: no two are equal, none follows from another, and the push is
    found from the code without an index (random codes in one would make each insert slower than the last).
    """

    name = "generated_code"
    label: ClassVar[Any] = _l("Codes made here")
    hint: ClassVar[Any] = _l("From a pattern such as THANKS-####-####; the last character finds typing errors.")
    icon = "sparkles"
    settings_model: ClassVar[type[BaseModel]] = PatternSettings

    def prepare(self, session: Session, reward: Reward) -> None:
        pattern = self._pattern(reward)
        if self._could_clash(session, reward.brand_id, pattern):
            raise Invalid(
                "settings.pattern",
                "pattern-overlaps",
                _l("Codes of this pattern could equal codes of yours that exist. Change its beginning."),
            )
        row = {"brand_id": reward.brand_id, "pattern": pattern.text, "key": secrets.token_hex(32)}
        insert_ignore(session, CodeSequence, [row])

    def available(self, session: Session, reward: Reward) -> int:
        given = session.scalar(sa.select(sa.func.max(Push.id)))
        return max(0, self._pattern(reward).capacity - 1 - int(given or 0))

    def reserve(self, session: Session, reward: Reward, push_ids: Sequence[int]) -> list[str]:
        pattern = self._pattern(reward)
        own = CodeSequence.brand_id == reward.brand_id, CodeSequence.pattern == pattern.text
        permute = _permutation(session.scalars(sa.select(CodeSequence.key).where(*own)).one(), pattern)
        most = pattern.capacity
        return pattern.write_all(permute.images([id_ for id_ in push_ids if id_ < most]))

    def owner(self, session: Session, brand_id: int, code: str) -> int | None:
        for sequence in session.scalars(sa.select(CodeSequence).where(CodeSequence.brand_id == brand_id)):
            pattern = Pattern(sequence.pattern)
            image = pattern.read_number(code)
            if image is not None:
                return _permutation(sequence.key, pattern).numbers([image])[0]
        return None

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


def _permutation(key: str, pattern: Pattern) -> Permutation:
    return Permutation(bytes.fromhex(key), *pattern.halves)


reward_type = GeneratedCode()
