"""``python -m turnwire``: the same as the command ``turnwire``."""

from turnwire.cli import main

if __name__ == "__main__":
    main()
