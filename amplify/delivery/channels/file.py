"""Writes each mail as an .eml file below the data folder, for any mail program to open."""

import re

from amplify.delivery.channel import Channel
from amplify.delivery.envelope import Outgoing, compose
from amplify.delivery.errors import TransientFailure


class File(Channel):
    """data_dir/outbox/<Message-ID>.eml; a second copy of one message writes over the first."""

    name = "file"

    def send(self, outgoing: Outgoing) -> None:
        mail = compose(outgoing)
        folder = self.settings.data_dir / "outbox"
        name = re.sub(r"[^A-Za-z0-9@._-]", "", outgoing.message_id) + ".eml"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(mail)
        except OSError as error:
            raise TransientFailure(f"cannot write {name}: {error.strerror}", is_channel_down=True) from error
