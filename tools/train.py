"""`python tools/train.py` is `dlcreg train`."""

import sys

from dlcreg.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
