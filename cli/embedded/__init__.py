"""Kafka, PostgreSQL and MLflow as child processes: what `make run` and the tests use where nobody brings their own."""
