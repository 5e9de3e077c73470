"""How a send can fail, in the only distinction that matters: may it be tried again?"""


class DeliveryFailure(Exception):
    """Base of both. The text is for the operator: what the other side said."""


class TransientFailure(DeliveryFailure):
    """Try again later (SMTP 4xx, a timeout). `is_channel_down`: nothing else can be sent now either."""

    def __init__(self, text: str, *, is_channel_down: bool = False) -> None:
        super().__init__(text)
        self.is_channel_down = is_channel_down


class PermanentFailure(DeliveryFailure):
    """Never try again (SMTP 5xx). `is_address_dead`: the mailbox does not exist, so never write to it again."""

    def __init__(self, text: str, *, is_address_dead: bool = False) -> None:
        super().__init__(text)
        self.is_address_dead = is_address_dead
