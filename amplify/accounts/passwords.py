"""How passwords are kept: argon2 by Flask-Security, so that what we set here is what its login reads."""

from flask_security import hash_password, verify_password

MIN_LENGTH = 12


def hashed(password: str) -> str:
    """The hash to store. Needs the running application (its pepper and parameters)."""
    return str(hash_password(password))


def is_right(password: str, kept: str) -> bool:
    """Whether this is the password behind the stored hash; takes as long whether it is or not."""
    return bool(verify_password(password, kept))
