"""Bare Flask: the ceiling of any Flask view on this server."""

from flask import Flask

app = Flask("hello")


@app.get("/<code>")
def hello(code: str) -> str:
    """Say something."""
    return "hello"
