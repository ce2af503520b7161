"""`python -m docs._generate [--check]`: write docs/reference, or fail when a page there differs from the code."""

import argparse
import sys

from docs._generate.pages import FOLDER, differences, write


def main() -> int:
    """Exit code 1 when `--check` finds a stale page."""
    parser = argparse.ArgumentParser(prog="python -m docs._generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="Write nothing; fail when a page is stale.")
    if not parser.parse_args().check:
        write()
        return 0
    stale = differences()
    if stale:
        sys.stderr.write(f"stale in {FOLDER.name}: {', '.join(stale)}; run `make reference` and review the diff\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
