"""`python -m cynet COMMAND`, the same as `cynet COMMAND`."""

import sys

from cynet.cli import main

if __name__ == "__main__":
    sys.exit(main())
