"""The closed loop's memory and its trainer's records: signals, requests, verdicts, trainings."""
