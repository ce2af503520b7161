"""The things tripcast talks about: trips, completions, predictions, refusals, positions in a stream, model versions."""
