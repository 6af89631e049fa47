"""`python tools/predict.py` is `dlcreg predict`."""

import sys

from dlcreg.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
