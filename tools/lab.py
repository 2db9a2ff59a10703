"""`cynet lab` as a script; it prefers the checkout around it where that is built in place."""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
if any(CHECKOUT.glob("cynet/core/_config.*.so")):
    sys.path.insert(0, str(CHECKOUT))

if __name__ == "__main__":
    from cynet.cli import script

    sys.exit(script("lab"))
