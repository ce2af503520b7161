"""What grows with data and machines: two workers, catching up after an outage, start-up, memory, a long history."""
