"""A simulated city that needs no data: seeded, documented in docs/simulated-city.md, dirty in the ways real trips are."""
