"""`python -m hardener`: the same as `harden`."""

import sys

from hardener.cli import main

sys.exit(main())
