"""What pages of the documents say, to be executed as it stands there."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of that language on a page of docs/, in order."""
    text = (REPOSITORY / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
