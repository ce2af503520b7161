"""The local all-in-one stack: what is started, in which order, how it is watched and stopped."""
