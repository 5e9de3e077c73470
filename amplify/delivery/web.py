"""What delivery brings to the web besides its pages."""

from apiflask import APIFlask

from amplify.delivery import intake


def install(app: APIFlask) -> None:
    """What channels are told later."""
    app.register_blueprint(intake.blueprint)
