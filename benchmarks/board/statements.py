"""Statements that a login sent, counted in PostgreSQL's own log."""

import re
from pathlib import Path

from cli.embedded.postgres import BOARD

STATEMENT = re.compile(rf"^{BOARD} LOG:  (?:execute |statement: )", re.MULTILINE)


def statements_so_far(log: Path) -> int:
    """Of the login that only reads; PostgreSQL writes its log line by line, at once."""
    return len(STATEMENT.findall(log.read_text(errors="replace")))
