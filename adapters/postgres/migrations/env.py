"""How alembic runs our revisions: on the connection, and inside the transaction, that `migrate` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
