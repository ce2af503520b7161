"""README, CONTRIBUTING and docs/ as data: their links, headings, and commands."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

REPOSITORY = Path(__file__).parent.parent
DOCS = REPOSITORY / "docs"
SHELLS = {"bash", "sh"}
TYPED = {*SHELLS, "console", "text", ""}
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->", re.DOTALL)
SAYS = re.compile(r"<!-- says: (.+?) -->")
PROGRAM = re.compile(r"^(?:\S*/)?tripcast$")
ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=|^\$$")
HAND_ON = {"--", "tools", "exec", "sudo", "time"}  # what follows them is a command
PUNCTUATION = set("();<>|&")


@dataclass(frozen=True, slots=True)
class Document:
    """One page."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(REPOSITORY))

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def tokens(self) -> list[Token]:
        return _parsed(self.path)

    def inline(self) -> Iterator[Token]:
        """Everything within paragraphs, cells and headings."""
        for token in self.tokens:
            yield from token.children or ()

    def links(self) -> set[str]:
        """Where its links and pictures lead, but for those to other hosts."""
        found = (
            token.attrGet("href") or token.attrGet("src") for token in self.inline() if token.type in {"link_open", "image"}
        )
        return {str(link) for link in found if link and not re.match(r"[a-z]+:", str(link))}

    def anchors(self) -> set[str]:
        """Of its headings, as code forges and the site make them."""
        return _anchors(self.path)

    def code(self) -> Iterator[str]:
        """Every piece of code in its text, and every block of a shell or of no language."""
        yield from (token.content for token in self.inline() if token.type == "code_inline")
        yield from (token.content for token in self.tokens if token.type == "fence" and token.info in TYPED)

    def shell_blocks(self) -> Iterator["Block"]:
        """Its blocks for a shell, with what the comments before each say of it."""
        comments = ""
        for token in self.tokens:
            if token.type == "html_block":
                comments += token.content
                continue
            if token.type == "fence" and token.info in SHELLS:
                reason = NOT_RUN.search(comments)
                yield Block(self.name, token.content, reason[1] if reason else None, tuple(SAYS.findall(comments)))
            comments = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Commands. `not_run`: why no test runs them; `says`: what their output has."""

    page: str
    text: str
    not_run: str | None
    says: tuple[str, ...]


def documents() -> list[Document]:
    """Every page that people read."""
    pages = (page for page in DOCS.rglob("*.md") if "_" not in page.relative_to(DOCS).parts[0][:1])
    return [
        Document(path)
        for path in (REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "SECURITY.md", *sorted(pages))
    ]


def tripcast_calls(text: str) -> Iterator[list[str]]:
    """The arguments of each call of `tripcast` in the lines of a shell."""
    for line in text.replace("\\\n", " ").splitlines():
        for words in _commands(line):
            start = next((number for number, word in enumerate(words) if PROGRAM.match(word) and _runs(words[:number])), None)
            if start is not None:
                yield words[start + 1 :]


def _runs(before: list[str]) -> bool:
    """Whether a word after these is a program: `kubectl -n tripcast get pods` is no call of ours."""
    return all(ASSIGNMENT.match(word) for word in before) or before[-1] in HAND_ON


def _commands(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        for word in lexer:
            if set(word) <= PUNCTUATION:
                yield words
                words = []
            else:
                words.append(word)
    except ValueError:  # a quotation that goes on in the next line: no line of `tripcast` does
        return
    yield words


@cache
def _parsed(path: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))


@cache
def _anchors(path: Path) -> set[str]:
    tokens, found = _parsed(path), Counter[str]()
    for heading in (tokens[number + 1].content for number, token in enumerate(tokens) if token.type == "heading_open"):
        anchor = _anchor(heading)
        if found[anchor]:
            found[f"{anchor}-{found[anchor]}"] += 1
        found[anchor] += 1
    return set(found)


def _anchor(heading: str) -> str:
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return "".join(letter for letter in text if letter.isalnum() or letter in " -_").replace(" ", "-")
