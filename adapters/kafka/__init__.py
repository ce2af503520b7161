"""Kafka: topics, consumers, producers."""
