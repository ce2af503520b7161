"""`tripcast schemas`: export the JSON Schema of every event and the AsyncAPI document, or check the exported ones."""

import typer

app = typer.Typer(help="Export the event schemas, or check the exported ones.")
