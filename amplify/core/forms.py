"""What every form of the console is made from: Flask-WTF's, with its CSRF token, on a base that has a type."""

from flask_wtf import FlaskForm


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF brings no types; the forms below this one need no such mark
    """A form of ours: fields, validators, a CSRF token."""
