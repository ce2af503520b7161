"""The commands, by typer's own description of them, and what exit codes mean."""

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from cli.exit_codes import EXIT_CODES, FAILED, OK, USAGE
from cli.main import COMMANDS, app
from docs._generate.markdown import code, join, sentence, table

OWN_CODES = {OK: "Done.", FAILED: "Unforeseen.", USAGE: "Wrong arguments."}


def page() -> str:
    """The page."""
    return join(
        "# Commands",
        "After `make run` the program is `.venv/bin/tripcast`; `tripcast COMMAND --help` shows a command. Commands that read "
        "take `--json`. They find a running local stack by the file `stack.env` in its data folder ([settings](settings.md)).",
        "## Exit codes",
        table(("code", "meaning"), ((str(number), words) for number, words in sorted(exit_codes().items()))),
        "## All commands",
        table(("command", "what it does"), ((_link(name), summary) for name, (_, summary) in COMMANDS.items())),
        *map(_section, COMMANDS),
    )


def _link(name: str) -> str:
    return f"[{code(f'tripcast {name}')}](#tripcast-{name})"


def _section(name: str) -> str:
    root = get_command(app)
    command = root.get_command(typer.Context(root), name)  # type: ignore[attr-defined]  # typer says Command, it is a group
    return get_docs_for_click(obj=command, ctx=typer.Context(command), name=name, call_prefix="tripcast", indent=1)


def exit_codes() -> dict[int, str]:
    """What each code means, in the words of the errors that lead to it."""
    meanings = dict(OWN_CODES)
    for kind, number in EXIT_CODES.items():
        meanings[number] = " Or: ".join(filter(None, (meanings.get(number, ""), sentence(kind.__doc__ or ""))))
    return meanings
