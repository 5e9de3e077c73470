"""`python -m amplify` is the `amplify` command."""

from amplify.cli import main

main()
