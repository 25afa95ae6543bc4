"""Which records want new scores. A store made by this version has the table from its first revision on."""

from alembic import op

from triage.store.tables import rescore

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table where it is missing."""
    rescore.create(op.get_bind(), checkfirst=True)
