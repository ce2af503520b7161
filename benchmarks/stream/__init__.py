"""The stream side by side: the bare loop, our worker, and the stock Faust pattern, on the same events and the same model."""
