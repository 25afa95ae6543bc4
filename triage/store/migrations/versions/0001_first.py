"""The first schema: every table of `triage.store.tables`, and the triggers that keep the audit append-only."""

from alembic import op

from triage.store.tables import metadata
from triage.store.triggers import create_triggers
from triage.store.tuning import tune

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables and triggers."""
    metadata.create_all(op.get_bind())
    create_triggers(op.get_bind())
    tune(op.get_bind())
