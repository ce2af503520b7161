"""How values and columns become rows, and what every look-up in the large tables must know; nothing here is for one asker."""
