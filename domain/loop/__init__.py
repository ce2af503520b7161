"""The closed loop as a pure state machine: event time and sums go in, decisions come out; live and backtest share it."""
