"""What the fraud room installs besides its own pages: the way by which a person appeals."""

from apiflask import APIFlask

from amplify.fraud import appealing


def install(app: APIFlask) -> None:
    """Once, when the application is built."""
    app.register_blueprint(appealing.blueprint)
