"""Who may ask the API, and what it has answered to requests that may be sent again."""

from alembic import op

from triage.store.tables import answer, api_key

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables where they are missing."""
    api_key.create(op.get_bind(), checkfirst=True)
    answer.create(op.get_bind(), checkfirst=True)
