"""The errors that a caller caused and can mend. Each names the field and the rule, and carries its HTTP status.

The app turns them into RFC 9457 problem+json for machines and into a kind page for people; nothing else is
shown to the outside.
"""

from typing import Any, ClassVar


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


class Invalid(AmplifyError):
    """A value breaks a rule. `field` is the dotted path in the input, `rule` a stable kebab-case name."""

    status = 422
    code = "invalid"

    def __init__(self, field: str, rule: str, message: Any) -> None:
        super().__init__(message, field=field, rule=rule)


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
