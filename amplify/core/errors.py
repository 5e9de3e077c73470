"""The errors that a caller caused and can mend. Each names the field and the rule, and carries its HTTP status.

The app turns them into RFC 9457 problem+json for machines and into a kind page for people; nothing else is
shown to the outside.
"""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Fault:
    """One value that breaks one rule: the dotted path of the field, the rule's stable name, and a sentence."""

    field: str
    rule: str
    message: Any


class AmplifyError(Exception):
    """Base of everything that is answered rather than logged as a crash."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad-request"

    def __init__(self, message: Any, *, field: str | None = None, rule: str | None = None) -> None:
        # The message may be a lazy translation: it is rendered in the reader's language, late.
        super().__init__(message)
        self.message = message
        self.field = field
        self.rule = rule
        # Every fault of an input that has several; `field` and `rule` are the first one's.
        self.faults: tuple[Fault, ...] = ()


class Invalid(AmplifyError):
    """A value breaks a rule. `field` is the dotted path in the input, `rule` a stable kebab-case name."""

    status = 422
    code = "invalid"

    def __init__(self, field: str, rule: str, message: Any) -> None:
        super().__init__(message, field=field, rule=rule)


class InvalidInput(Invalid):
    """Several values break rules; all of them are listed."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(faults[0].field, faults[0].rule, faults[0].message)
        self.faults = faults


class Malformed(AmplifyError):
    """The input cannot be read at all (broken JSON, wrong encoding, too deep)."""

    code = "malformed"


class Unauthorized(AmplifyError):
    """No or wrong credentials or signature."""

    status = 401
    code = "unauthorized"


class Forbidden(AmplifyError):
    """Known, but not allowed; also a policy or law that refuses (then `rule` names it)."""

    status = 403
    code = "forbidden"


class NotFound(AmplifyError):
    """No such thing for this brand (another brand's thing answers the same)."""

    status = 404
    code = "not-found"


class Conflict(AmplifyError):
    """The same key with another content, or a state that does not allow the verb."""

    status = 409
    code = "conflict"


class Gone(AmplifyError):
    """It was here and has ended (an expired link)."""

    status = 410
    code = "gone"


class TooLarge(AmplifyError):
    """More bytes or rows than the route takes."""

    status = 413
    code = "too-large"


class Unsupported(AmplifyError):
    """A media type or encoding that the route does not read."""

    status = 415
    code = "unsupported-media-type"


class TooMany(AmplifyError):
    """More requests than the route takes from one caller. `retry_after` in seconds."""

    status = 429
    code = "too-many-requests"

    def __init__(self, message: Any, *, retry_after: int) -> None:
        super().__init__(message, rule="rate-limit")
        self.retry_after = retry_after
