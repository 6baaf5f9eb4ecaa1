"""The newest entry of the chain about a configuration is found without reading all that came since."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_chain_kind_number", "chain", ["kind", "number"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_chain_kind_number", "chain")
