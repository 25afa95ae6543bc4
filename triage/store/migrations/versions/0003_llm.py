"""What asking language models costs and says: calls, budgets, answers."""

from alembic import op

from triage.store.migrate import REVISIONS
from triage.store.tables import llm_answer, llm_budget, llm_call, metadata

revision = "0003"
down_revision = REVISIONS[REVISIONS.index(revision) - 1]


def upgrade() -> None:
    """Create the tables where a new store does not have them yet."""
    metadata.create_all(op.get_bind(), tables=[llm_call, llm_budget, llm_answer], checkfirst=True)
