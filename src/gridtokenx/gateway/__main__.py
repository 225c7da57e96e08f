"""`python -m gridtokenx.gateway`."""

import sys

from gridtokenx.gateway.server import main

if __name__ == "__main__":
    sys.exit(main())
