"""`python -m neuript` is `neuript`."""

from __future__ import annotations

import sys

from neuript.cli import main

if __name__ == "__main__":
    sys.exit(main())
