"""What an operator does: prepare and migrate a database, audit, repair, prune, replay."""
