# Workflows, the model gate, audits of the locks.
