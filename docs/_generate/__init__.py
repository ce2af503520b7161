"""The reference pages, made from the code: `python -m docs._generate` writes them, `--check` says which are stale."""
