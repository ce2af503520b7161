"""Lock hygiene for `make check`: every package hashed, no index address, and the locks up to date with pyproject.toml."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = ("uv", "run", "service", "build", "test", "tools", "go", "rivals", "rivals-api")


def problems() -> list[str]:
    """Sentences about what is wrong with the locks; empty when all is well."""
    texts = {name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in LOCKS}
    found = [f"{name}.txt: {fault}" for name, text in texts.items() for fault in _faults(text)]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        "run": project["dependencies"] + project["optional-dependencies"]["local"],
        "service": project["dependencies"] + project["optional-dependencies"]["aws"],
        "test": project["optional-dependencies"]["test"],
    }
    for lock, requirements in wanted.items():
        locked = _names(texts["run"]) | _names(texts[lock])
        found += [f"{lock}.txt lacks {name}: run `make lock`" for name in map(_name, requirements) if name not in locked]
    return found


def _faults(text: str) -> list[str]:
    faults = ["an address"] if re.search(r"https?://", text) else []
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    return faults + [f"{block.split()[0]} has no hash" for block in blocks if "--hash=sha256:" not in block]


def _names(text: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, flags=re.MULTILINE))


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


if __name__ == "__main__":
    sys.exit("\n".join(problems()) or 0)
