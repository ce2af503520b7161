"""A link to a folder of the repository leads somewhere in a code forge; on the site, which has no folders, it is its text."""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx


def unlink(app: Sphinx, document: nodes.document) -> None:
    """Keep the text of each such link."""
    here = Path(app.env.doc2path(app.env.docname)).parent
    for link in list(document.findall(addnodes.pending_xref)):
        target = str(link.get("reftarget", ""))
        if link.get("reftype") == "myst" and target and (here / target).is_dir():
            link.replace_self(link.children)


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's entry point."""
    app.connect("doctree-read", unlink)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
