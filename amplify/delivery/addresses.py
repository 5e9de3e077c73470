"""Mail addresses: which are valid, when two are the same mailbox, and how one is remembered without being kept."""

import re
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.tokens import digest

# Google ignores dots and everything from a plus sign, on both of its domains
# (support.google.com/mail/answer/7436150 and /answer/22370). No other provider's rules are assumed.
GOOGLE = ("gmail.com", "googlemail.com")


# RFC 5322, 3.2.3: of the characters that need no quotes those that nearly all mailboxes are named with.
PLAIN_LOCAL = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*")
# RFC 5321, 4.5.3.1.3, less the brackets around it.
LONGEST = 254


def check(field: str, address: str) -> str:
    """The address as it is to be written, domain in lower case. Raises Invalid(field, "email"). Asks no name server."""
    local, _at, domain = address.rpartition("@")
    if PLAIN_LOCAL.fullmatch(local) and len(address) <= LONGEST:
        try:
            return f"{local}@{_domain(domain)}"
        except Invalid:
            pass  # said below, of the whole address
    return _whole(field, address)


@lru_cache(4096)
def _domain(domain: str) -> str:
    """Most people's mailboxes are at a few providers', and to look at a domain takes a tenth of a millisecond."""
    return _whole("domain", f"a@{domain}").partition("@")[2]


def _whole(field: str, address: str) -> str:
    try:
        return validate_email(address, check_deliverability=False).normalized
    except (EmailNotValidError, UnicodeError) as error:
        raise Invalid(field, "email", _l("This is not an e-mail address.")) from error


def on_the_wire(address: str) -> tuple[str, str]:
    """Local part and domain as SMTP takes them: the domain in ASCII (RFC 5891). Raises Invalid("address", "email")."""
    local, _, domain = check("address", address).rpartition("@")
    return local, domain.encode("idna").decode("ascii")


def normal_form(address: str) -> str:
    """The form in which two spellings of one mailbox are equal: lower case, and Google's dots and tags taken out.

    A telephone number stays as it is.
    """
    local, at, domain = address.strip().lower().rpartition("@")
    if not at:
        return domain
    if domain in GOOGLE:
        local, domain = local.split("+")[0].replace(".", ""), GOOGLE[0]
    return f"{local}@{domain}"


def abridged(address: str) -> str:
    """Enough of an address to tell it from others on a list, and not who it is: "p…2@mail.example". Whoever has to know
    opens the person's page, or has them revealed with a reason."""
    local, at, domain = address.rpartition("@")
    if not at:
        return address if ":" in address else f"…{address[-2:]}"
    return f"{local[:1]}…{local[-1:] if len(local) > 2 else ''}@{domain}"


def fingerprint(brand_id: int, address: str) -> str:
    """SHA-256 hex of brand and normal form: finds an address again without keeping it.

    Whoever has the database and guesses an address can confirm the guess: this is a pseudonym, not anonymity.
    It is not keyed by a secret, so that changing the secret cannot bring suppressed addresses back.
    """
    return digest(f"{brand_id}:{normal_form(address)}")
