"""A mail is written faster than the email package does it; what it says must be what the package would have said."""

from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, default

from hypothesis import given
from hypothesis import strategies as st

from amplify.delivery.envelope import Outgoing, compose
from amplify.delivery.render import Rendered, one_line

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
LINES = st.text(LETTERS.filter(lambda letter: letter.isprintable()), max_size=120)
TEXTS = st.lists(LINES, min_size=1, max_size=8).map(lambda lines: "\n".join(lines) + "\n")
NAMES = st.from_regex(r"[a-zA-Z0-9_+-]{1,30}(\.[a-z0-9_+-]{1,20})?", fullmatch=True)
HOSTS = st.from_regex(r"[a-z0-9-]{1,20}\.(com|example)", fullmatch=True)


@given(name=NAMES, host=HOSTS, subject=st.text(max_size=90), brand=st.text(max_size=40))
def test_headers_are_those_of_the_email_package(name: str, host: str, subject: str, brand: str) -> None:
    message_id, address = f"<{name}@{host}>", f"{name}@{host}"
    ours = compose(Outgoing(message_id, address, "A <a@a.example>", brand, Rendered(one_line(subject), "t\n", "h")))
    theirs = EmailMessage(SMTP)
    theirs["From"] = Address(one_line(brand or "A", 80), addr_spec="a@a.example")
    theirs["To"] = Address(username=name, domain=host)
    theirs["Subject"] = one_line(subject)
    theirs["Message-ID"] = message_id
    head = ours.partition(b"\r\n\r\n")[0] + b"\r\n"
    for line in theirs.as_bytes().partition(b"\r\n\r\n")[0].replace(b"\r\n ", b"\r\n\0 ").split(b"\r\n"):
        assert line.strip(b"\0") in head


@given(text=TEXTS, html=TEXTS)
def test_bodies_are_read_back_as_they_were_written(text: str, html: str) -> None:
    raw = compose(Outgoing("<1@a.example>", "b@b.example", "a@a.example", "A", Rendered("S", text, html)))
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.replace(b"\r\n", b"").count(b"\n") == raw.replace(b"\r\n", b"").count(b"\r") == 0
    mail = message_from_bytes(raw, policy=default)
    parts = [part.get_content() for part in mail.iter_parts()]
    assert [part.replace("\r\n", "\n") for part in parts] == [text, html]


def test_a_text_that_holds_the_border_of_the_parts_does_not_end_them() -> None:
    text = "--=_amplify\nContent-Type: text/html\n\n<b>evil</b>\n--=_amplify--\n"
    raw = compose(Outgoing("<1@a.example>", "b@b.example", "a@a.example", "A", Rendered("S", text, "h")))
    parts = list(message_from_bytes(raw, policy=default).iter_parts())
    assert len(parts) == 2
    assert parts[0].get_content().replace("\r\n", "\n") == text
