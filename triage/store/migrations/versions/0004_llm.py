"""What asking language models costs and says: calls, budgets, answers."""

from alembic import op

from triage.store.tables import llm_answer, llm_budget, llm_call, metadata

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables where a new store does not have them yet."""
    metadata.create_all(op.get_bind(), tables=[llm_call, llm_budget, llm_answer], checkfirst=True)
