"""Money as staff type it, and back."""

from decimal import Decimal, InvalidOperation

from babel.numbers import get_currency_precision

from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l


def to_minor(field: str, text: str, currency: str) -> int:
    """ "12.50" or "12,50" in minor units. Raises Invalid naming `field`; nothing is rounded away."""
    refused = Invalid(field, "amount", _l("Give an amount such as 12.50."))
    try:
        amount = Decimal(text.strip().replace(",", ".")).scaleb(get_currency_precision(currency))
    except InvalidOperation:
        raise refused from None
    if not amount.is_finite() or amount != amount.to_integral_value() or not 0 <= amount <= 10**15:
        raise refused
    return int(amount)


def from_minor(minor: int | None, currency: str) -> str:
    """The way `to_minor` reads it."""
    return "" if minor is None else str(Decimal(minor).scaleb(-get_currency_precision(currency)))
