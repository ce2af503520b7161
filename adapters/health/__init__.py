"""How a process that serves nothing else tells of itself: health, metrics, and how late its event loop is."""
