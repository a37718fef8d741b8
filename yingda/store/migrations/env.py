"""What Alembic runs for every command: the connection and its transaction come from ``yingda.store.migrate``."""

from __future__ import annotations

from alembic import context

from yingda.store.migrate import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite can alter hardly anything in place
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
