"""The command line, in this process: ``tokenvet`` and ``python -m tokenvet``."""

import signal
import sys

from tokenvet import _native


def main() -> int:
    """Run the command that ``sys.argv`` names and return its exit code."""
    # Python would turn Ctrl-C into an exception that the command never sees.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.run(["tokenvet", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
