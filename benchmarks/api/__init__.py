"""The API beside MLflow's own server: the same trips, the same registered graph, the same machine, in one run."""
