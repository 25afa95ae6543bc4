"""PostgreSQL: retention and erasure change events without a lock on the table, and no sample of any words is kept."""

from alembic import op

from triage.store.triggers import let_upkeep_through
from triage.store.tuning import keep_no_samples

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Bring the triggers' function and the columns' statistics up to date; on SQLite nothing changes."""
    let_upkeep_through(op.get_bind())
    keep_no_samples(op.get_bind())
