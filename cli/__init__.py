"""The `tripcast` command, and the local all-in-one stack."""
