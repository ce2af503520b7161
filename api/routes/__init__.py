"""One file a group of routes; each decodes, calls one thing, and encodes."""
