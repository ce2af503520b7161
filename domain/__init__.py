"""What is true about taxi trips without Kafka, PostgreSQL or a browser; standard library and numpy only."""
