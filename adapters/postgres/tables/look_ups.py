"""How rows are looked up: by key, whatever the planner believes, and trips by their id alone."""

# These tables are ahead of the planner's statistics by millions of rows. `lateral` with `offset 0` keeps it from joining the
# other way round, and without sequential scans each look-up goes by key, at any size of the table. A custom plan knows the
# months that are asked for, and leaves the others out; a generic one would lock them all.
BY_KEY = "set local enable_seqscan = off; set local plan_cache_mode = force_custom_plan"


def by_id(trip_id: str) -> str:
    """The condition of a query that calls its trips t: the index by id holds hashes, the id itself then decides."""
    return f"hashtextextended(t.trip_id, 0) = hashtextextended({trip_id}, 0) and t.trip_id = {trip_id}"
