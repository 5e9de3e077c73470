"""Only the name of a server gets into the address that a person is sent to."""

import pytest

from amplify.core.errors import Invalid
from amplify.sharing.channel import Draft
from amplify.sharing.channels.mastodon import Mastodon, host_of


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("mastodon.social", "mastodon.social"),
        (" https://Mastodon.social/ ".strip(), "mastodon.social"),
        ("@me@masto.es", "masto.es"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_a_server_is_understood_as_people_write_it(typed: str, host: str) -> None:
    assert host_of(typed) == host


@pytest.mark.parametrize(
    "typed",
    [
        "localhost", "127.0.0.1", "10.1", "[::1]", "evil.example/path", "evil.example?x=", "evil.example#",
        "a b.example", "evil.example:8080", "javascript:alert(1)", "-a.example", "a..example", "http://a.example",
        "a.example\\@b", "x" * 64 + ".example", ".".join(["a" * 60] * 5), "a.example\r\nSet-Cookie: x", "me:pw@",
        "\uff11\uff12\uff17.0.0.1", "a_b.example",
    ],
)  # fmt: skip
def test_nothing_else_becomes_an_address(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        host_of(typed)
    assert refused.value.field == "server"


def test_without_a_server_the_projects_page_asks_for_it() -> None:
    address = Mastodon().compose(Draft("Hola", "https://a.example/s/1"))
    assert address == "https://share.joinmastodon.org/#text=Hola%0A%0Ahttps%3A//a.example/s/1"
