"""Telephone numbers: which are valid, and the one form in which they are kept (E.164)."""

from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_valid_number, parse

from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l


def check(field: str, text: str) -> str:
    """The number as E.164. It must say its country (+34 ...): none is guessed. Raises Invalid(field, "phone")."""
    try:
        number = parse(text, None)
    except NumberParseException as error:
        raise _refused(field) from error
    if number.extension or not is_valid_number(number):
        raise _refused(field)
    return str(format_number(number, PhoneNumberFormat.E164))


def is_phone(address: str) -> bool:
    """Whether this is meant as a telephone number: no mail address and no endpoint begins so."""
    return address.startswith("+") and "@" not in address


def normal_form(text: str) -> str:
    """E.164 of what somebody wrote to look a number up; the text itself if it is none."""
    try:
        return check("phone", text) if is_phone(text) else text
    except Invalid:
        return text


def _refused(field: str) -> Invalid:
    return Invalid(field, "phone", _l("This is no telephone number with its country, such as +34600123456."))
