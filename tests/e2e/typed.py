"""Types the commands of a page into a shell, as a newcomer would, and looks for what the page says of their output."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.documents import Block

PROGRAM = f"{sys.executable} -P -m cli"
API, BOARD = "http://127.0.0.1:8000", "http://127.0.0.1:8050"  # on the pages; a test's stack has other ports
BLOCK_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Shell:
    """A folder to type in, and the running stack that the commands find. `found`: its `stack.env`."""

    folder: Path
    data: Path
    found: Mapping[str, str]

    def type(self, block: Block) -> str:
        """Its output, in one line. Fails where a command fails, or where the output lacks what the page says."""
        text = block.text.replace(".venv/bin/tripcast", PROGRAM).replace(API, self.found["TRIPCAST_API"])
        text = text.replace(BOARD, f"http://127.0.0.1:{self.found['TRIPCAST_BOARD_PORT']}")
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env={**os.environ, "TRIPCAST_DATA": str(self.data), "NO_PROXY": "127.0.0.1", "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BLOCK_SECONDS,
            check=False,
        )
        told = f"{block.page}:\n{block.text}\nended with {ended.returncode} and said\n{ended.stdout}\n{ended.stderr}"
        assert ended.returncode == 0, told
        output = _one_line(ended.stdout)
        missing = [words for words in block.says if _one_line(words) not in output]
        assert missing == [], f"{told}\nwithout {missing}"
        return output


def _one_line(text: str) -> str:
    """Without the spaces around colons too: pages show JSON with them, the API answers without."""
    return re.sub(r"\s*:\s*", ":", " ".join(text.split()))
