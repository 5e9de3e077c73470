"""`python -m amplify` is the `amplify` command."""

from amplify.cli import main

if __name__ == "__main__":  # granian starts processes that import us again
    main()
