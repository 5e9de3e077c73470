"""Who bought, as a key that says only whether two orders are one mailbox's: the address itself is never stored."""

import hashlib

from amplify.delivery.addresses import normal_form


def key_of(secret: str, brand_id: int, address: str | None) -> str:
    """64 hexadecimal digits for a mailbox of this brand's buyers; "" if none is known.

    Keyed by the installation's secret, so that whoever has the database alone cannot try addresses. After a change of
    the secret, older orders no longer meet newer ones.
    """
    if not address:
        return ""
    key = hashlib.sha256(f"{secret}|buyer|{brand_id}".encode()).digest()
    return hashlib.blake2b(normal_form(address).encode(), digest_size=32, key=key).hexdigest()
