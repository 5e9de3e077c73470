"""What every delivery channel must keep; a new file in delivery/channels is tested without being named here."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from amplify.core.settings import Settings
from amplify.core.webhooks import new_secret
from amplify.delivery import vapid
from amplify.delivery.channel import Channel, open_channel, registry
from amplify.delivery.envelope import Outgoing
from amplify.delivery.errors import PermanentFailure
from amplify.delivery.render import Rendered
from tests.delivery.mailserver import listening
from tests.delivery.receivers import Program, PushService, receiving
from tests.delivery.twilio import ACCOUNT, Twilio

NAMES = sorted(registry())
RENDERED = Rendered("Hello", "Plain words\n", "<p>Words</p>")
SECRET = new_secret()
# Kinds that reach more than an address: where, by the servers of this machine.
Targets = dict[str, Mapping[str, str]]


def outgoing(address: str = "", n: int = 1, target: Mapping[str, str] | None = None, to: str = "") -> Outgoing:
    """To this address, or to a good one of the channel `to`."""
    address = address or ("+34600123456" if to == "sms" else "ana@friends.example")
    unsubscribe = "https://a.example/unsubscribe/t"
    sender = "Amplify <hello@a.example>"
    return Outgoing(
        f"<{n}@a.example>", address, sender, "Acme", RENDERED, unsubscribe, target or {}, "reward", {"code": "C-1"}
    )


@pytest.fixture
def targets() -> Iterator[Targets]:
    program, service = Program(SECRET), PushService(vapid.keys(Settings(env="test").secret).public)
    with receiving(program), receiving(service):
        yield {"webhook": {"url": program.url, "secret": SECRET}, "webpush": service.subscription}
    assert (program.refused, service.refused) == ([], [])


@pytest.fixture(params=NAMES)
def channel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Channel]:
    """The channel, with a mail server on this machine for those that speak to one."""
    twilio = Twilio()
    with listening() as server, receiving(twilio):
        servers: dict[str, Any] = {"smtp_host": server.host, "smtp_port": server.port, "twilio_url": twilio.url}
        given = Settings(env="test", data_dir=tmp_path, outgoing_to_loopback=True, **servers, **ACCOUNT)
        with registry()[request.param](given) as opened:
            yield opened
    assert twilio.refused == []


def test_a_channel_has_its_own_name() -> None:
    assert {"email", "console", "file", "sms", "webhook", "webpush"} <= set(NAMES)
    assert all(name == name.lower() and len(name) <= 40 for name in NAMES)


def test_a_channel_takes_many_messages_in_one_opening(channel: Channel, targets: Targets) -> None:
    for n in range(3):
        channel.send(outgoing(n=n, target=targets.get(channel.name), to=channel.name))


def test_a_copy_of_a_message_is_no_error(channel: Channel, targets: Targets) -> None:
    channel.send(outgoing(target=targets.get(channel.name), to=channel.name))
    channel.send(outgoing(target=targets.get(channel.name), to=channel.name))


def test_an_address_that_cannot_be_written_is_a_permanent_failure(channel: Channel, targets: Targets) -> None:
    with pytest.raises(PermanentFailure):
        channel.send(outgoing("ana@friends.example\r\nBcc: evil@attack.example"))
    channel.send(outgoing(target=targets.get(channel.name), to=channel.name))  # and the channel goes on


def test_closing_twice_is_no_error(channel: Channel, targets: Targets) -> None:
    channel.send(outgoing(target=targets.get(channel.name), to=channel.name))
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
