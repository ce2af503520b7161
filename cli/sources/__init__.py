"""Where live trip events come from: a file in event-time order, or the simulated city."""
