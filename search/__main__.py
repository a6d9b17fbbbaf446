"""``python -m search``."""

import sys


def main() -> int:
    """As ``search.cli.main``, also when Ctrl-C is pressed while the program is still loading."""
    try:
        from search.cli import main as command_line

        return command_line()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
