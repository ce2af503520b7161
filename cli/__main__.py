"""`python -m cli`: how the local stack starts its roles, whatever the PATH."""

from cli.main import main

main()
