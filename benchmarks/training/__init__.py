"""Training beside plain calls of the libraries: the same rows, the same settings, a process for each."""
