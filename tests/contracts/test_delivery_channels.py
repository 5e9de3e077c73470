"""What every delivery channel must keep; a new file in delivery/channels is tested without being named here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from amplify.core.settings import Settings
from amplify.delivery.channel import Channel, open_channel, registry
from amplify.delivery.envelope import Outgoing
from amplify.delivery.errors import PermanentFailure
from amplify.delivery.render import Rendered
from tests.delivery.mailserver import listening

NAMES = sorted(registry())
RENDERED = Rendered("Hello", "Plain words\n", "<p>Words</p>")


def outgoing(address: str = "ana@friends.example", n: int = 1) -> Outgoing:
    unsubscribe = "https://a.example/unsubscribe/t"
    return Outgoing(f"<{n}@a.example>", address, "Amplify <hello@a.example>", "Acme", RENDERED, unsubscribe)


@pytest.fixture(params=NAMES)
def channel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Channel]:
    """The channel, with a mail server on this machine for those that speak to one."""
    with listening() as server:
        given = Settings(env="test", data_dir=tmp_path, smtp_host=server.host, smtp_port=server.port)
        with registry()[request.param](given) as opened:
            yield opened


def test_a_channel_has_its_own_name() -> None:
    assert {"email", "console", "file"} <= set(NAMES)
    assert all(name == name.lower() and len(name) <= 40 for name in NAMES)


def test_a_channel_takes_many_messages_in_one_opening(channel: Channel) -> None:
    for n in range(3):
        channel.send(outgoing(n=n))


def test_a_copy_of_a_message_is_no_error(channel: Channel) -> None:
    channel.send(outgoing())
    channel.send(outgoing())


def test_an_address_that_cannot_be_written_is_a_permanent_failure(channel: Channel) -> None:
    with pytest.raises(PermanentFailure):
        channel.send(outgoing("ana@friends.example\r\nBcc: evil@attack.example"))
    channel.send(outgoing())  # and the channel goes on


def test_closing_twice_is_no_error(channel: Channel) -> None:
    channel.send(outgoing())
    channel.close()
    channel.close()


def test_mail_goes_where_the_setting_says(tmp_path: Path) -> None:
    for mail, name in (("console", "console"), ("file", "file"), ("smtp", "email")):
        settings = Settings(env="test", data_dir=tmp_path, mail=mail)
        assert open_channel("email", settings).name == name
    with pytest.raises(LookupError):
        open_channel("pigeon", settings)


def test_a_file_is_a_mail_that_programs_open(tmp_path: Path) -> None:
    open_channel("file", Settings(env="test", data_dir=tmp_path)).send(outgoing())
    written = list((tmp_path / "outbox").glob("*.eml"))
    assert len(written) == 1
    assert b"Subject: Hello" in written[0].read_bytes()
