"""`python tools/test.py` is `dlcreg test`."""

import sys

from dlcreg.cli import main

if __name__ == "__main__":
    sys.exit(main(["test", *sys.argv[1:]]))
