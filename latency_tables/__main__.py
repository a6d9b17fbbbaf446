"""``python -m latency_tables``."""

import sys


def main() -> int:
    """As ``latency_tables.cli.main``, also when Ctrl-C is pressed while the program is still loading."""
    try:
        from latency_tables.cli import main as command_line

        return command_line()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
