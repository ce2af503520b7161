"""The documents' site: Sphinx, MyST and furo (decision 0017). `make docs` builds it; every warning is an error there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "tripcast"
author = "the tripcast contributors"
copyright = "the tripcast contributors, MIT licence"  # noqa: A001 - Sphinx's name

extensions = ["myst_parser", "sphinx_copybutton", "sphinx_design", "folders", "inside"]
exclude_patterns = ["_ext", "_generate"]
nitpicky = True
suppress_warnings: list[str] = []

# Pages are plain Markdown that a code forge shows as well: links between files and to headings, no roles.
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "tripcast"
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
html_theme_options = {"navigation_with_keys": False}
copybutton_exclude = ".linenos, .gp, .go"
