"""`python tools/analyze.py` is `dlcreg analyze`."""

import sys

from dlcreg.cli import main

if __name__ == "__main__":
    sys.exit(main(["analyze", *sys.argv[1:]]))
