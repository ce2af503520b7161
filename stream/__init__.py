"""The Faust worker: trip events in, predictions out, nothing lost and nothing twice."""
