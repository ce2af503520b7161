"""Servers that others offer for the same model, each a process of its own in .venv-rivals-api."""

GRAPH = "BENCHMARK_GRAPH"  # the environment variable that names the champion's graph
