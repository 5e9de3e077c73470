"""Text and HTML of one mail as the two parts of multipart/alternative (RFC 2046), encoded by the C library.

The email package would do the same in Python, letter by letter, and takes a millisecond for each mail.
"""

from binascii import b2a_base64, b2a_qp

# Neither encoding ever writes "=_" (RFC 2045, 6.7 and RFC 2046, 5.1.1), so no encoded text can hold it.
BOUNDARY = "=_amplify"
MARK = BOUNDARY.encode()
# RFC 5322, 2.1.1: what a line should have at most.
LONGEST_LINE = 78
# Of base64: 76 letters in a line (RFC 2045, 6.8).
BYTES_A_LINE = 57
ASCII = bytes(range(128))


def alternatives(text: str, html: str) -> str:
    """The body of a mail whose Content-Type says multipart/alternative with BOUNDARY: the best part comes last."""
    return f"{_part('plain', text)}{_part('html', html)}--{BOUNDARY}--\r\n"


def _part(kind: str, content: str) -> str:
    lines = content.encode("utf-8", "replace").splitlines()
    encoding, body = _encoded(lines)
    head = (
        f'--{BOUNDARY}\r\nContent-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    )
    return f"{head}{body.decode('ascii')}\r\n"


def _encoded(lines: list[bytes]) -> tuple[str, bytes]:
    """As it is, if every server takes it so; else the shorter of the two encodings."""
    raw = b"\n".join(lines) + b"\n"
    is_plain = raw.isascii() and b"\0" not in raw and MARK not in raw
    if is_plain and max(map(len, lines), default=0) <= LONGEST_LINE:
        return "7bit", raw.replace(b"\n", b"\r\n")
    # One makes three of each byte that is not ASCII, the other four of any three.
    if len(raw.translate(None, ASCII)) > len(raw) // 6:
        parts = (raw[start : start + BYTES_A_LINE] for start in range(0, len(raw), BYTES_A_LINE))
        return "base64", b"".join(b2a_base64(part, newline=False) + b"\r\n" for part in parts)
    return "quoted-printable", b2a_qp(raw, istext=True).replace(b"\n", b"\r\n")
