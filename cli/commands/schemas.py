"""`tripcast schemas`: export the JSON Schema of every event and the AsyncAPI document, or check the exported ones."""

import typer
from rich.console import Console

from domain.errors import InvalidInput
from schemas import documents

app = typer.Typer(help="Export the event schemas, or check the exported ones.")


@app.command()
def check() -> None:
    """Fail when an exported document differs from the code."""
    if stale := documents.differences():
        raise InvalidInput(
            f"exported schemas differ from the code: {', '.join(stale)}; run `tripcast schemas export`, review the diff"
        )
    Console().print(f"{len(documents.documents())} exported schemas match the code")


@app.command()
def export() -> None:
    """Write the documents into schemas/exported."""
    for path in documents.export():
        Console().print(path.name)
