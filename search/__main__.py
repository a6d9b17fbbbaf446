"""``python -m search``."""

import sys


def main() -> int:
    """As ``search.cli.main``; Ctrl-C while the program is still loading ends it as quietly as later."""
    try:
        from search.cli import main as command_line

        return command_line()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
