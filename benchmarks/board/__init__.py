"""What open boards cost the API and the database, and how long a day of roll-ups takes to be answered."""
