"""`tripcast schemas`: export the JSON Schema of every event and the AsyncAPI document, or check the exported ones."""

import typer

app = typer.Typer(help="Export the event schemas, or check the exported ones.")


@app.command()
def check() -> None:
    """Compare the exported documents with the code."""


@app.command()
def export() -> None:
    """Write the documents."""
