"""When something came in last of a version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the column; of older rows it is not known."""
    op.add_column("streams", sa.Column("grown", sa.DateTime()))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("streams", "grown")
