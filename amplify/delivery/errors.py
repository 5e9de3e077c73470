"""How a send can fail, in the only distinction that matters: may it be tried again?"""


class DeliveryFailure(Exception):
    """Base of both. The text is for the operator: what the other side said."""


class TransientFailure(DeliveryFailure):
    """Try again later (SMTP 4xx, a timeout). `is_channel_down`: nothing else can be sent now either.

    `is_connection_lost`: it broke with this message, so it may be the message; twice in a row it is the other side.
    """

    def __init__(
        self,
        text: str,
        *,
        is_channel_down: bool = False,
        is_connection_lost: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(text)
        self.is_channel_down = is_channel_down
        self.is_connection_lost = is_connection_lost
        self.retry_after_seconds = retry_after_seconds


class PermanentFailure(DeliveryFailure):
    """Never try again (SMTP 5xx). `is_address_dead`: the mailbox does not exist, so never write to it again."""

    def __init__(self, text: str, *, is_address_dead: bool = False) -> None:
        super().__init__(text)
        self.is_address_dead = is_address_dead
