"""Every byte that crosses a process boundary: events, topics, and the documents exported from them."""
