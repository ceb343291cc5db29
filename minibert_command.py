"""The command `minibert`. An interrupt ends it without a traceback, even while Python still imports the package."""

import sys


def main() -> int:
    """Run the command line, and return its exit code."""
    try:
        from minibert.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("minibert: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
