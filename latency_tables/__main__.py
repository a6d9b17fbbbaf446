"""``python -m latency_tables``."""

import sys

from latency_tables.cli import main

if __name__ == "__main__":
    sys.exit(main())
