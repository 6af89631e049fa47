"""`python -m dlcreg` is `dlcreg`."""

import sys

from dlcreg.cli import main

if __name__ == "__main__":
    sys.exit(main())
