"""What a trip leaves behind: bytes in tables and indexes, in Kafka, and in PostgreSQL's journal."""
