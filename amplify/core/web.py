"""What a view may ask of the running application, without importing the floor that built it."""

from dataclasses import dataclass
from functools import lru_cache

from flask import current_app

from amplify.core.settings import Settings
from amplify.core.tokens import Signer


@dataclass(frozen=True)
class Amplify:
    """The installation: its settings and its signing key. Kept at `app.extensions["amplify"]`."""

    settings: Settings

    def signer(self, purpose: str) -> Signer:
        """Signs and reads tokens of one purpose."""
        return _signer(self.settings.secret, purpose)


_signer = lru_cache(64)(Signer)


def amplify() -> Amplify:
    """The installation that answers this request."""
    found: Amplify = current_app.extensions["amplify"]
    return found
