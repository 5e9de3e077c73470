"""A shop that asks for every friend, in a process of its own that may be killed.

python -m tests.rewards.asking_process DATABASE DATA_DIR AUTHORIZATION
"""

import sys
from pathlib import Path

import sqlalchemy as sa

from amplify.app import create_app
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.tracking.models import Click


def ask_for_all(authorization: str) -> None:
    """Twice each, as a landing page that is loaded again."""
    tokens = db.session.scalars(sa.select(Click.token).order_by(Click.id)).all()
    db.session.rollback()
    with app.test_client() as shop:
        for token in [*tokens, *tokens]:
            headers = {"Authorization": authorization}
            shop.post("/api/v1/friends", json={"click_id": str(token)}, headers=headers)


if __name__ == "__main__":
    database, folder, key = sys.argv[1:]
    app = create_app(Settings(env="test", database_url=database, data_dir=Path(folder), mail="console"))
    with app.app_context():
        ask_for_all(key)
