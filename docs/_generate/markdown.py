"""The few pieces of Markdown that the reference is made of."""

import json
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; nothing at all without rows."""
    lines = [_row(row) for row in rows]
    if not lines:
        return ""
    return "\n".join([_row(head), _row(["---"] * len(head)), *lines]) + "\n"


def code(value: object) -> str:
    """As code; nothing for nothing."""
    text = str(value)
    return f"`{text}`" if text else ""


def block(text: str, language: str = "text") -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def json_block(value: object) -> str:
    """A document, indented."""
    return block(json.dumps(value, indent=2, ensure_ascii=False), "json")


def sentence(text: str) -> str:
    """Text of any layout in one line."""
    return " ".join(text.split())


def join(*parts: str) -> str:
    """Paragraphs; empty ones are left out."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
