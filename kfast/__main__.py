"""`python -m kfast` is `kfast`."""

import sys

from kfast.cli import main

sys.exit(main())
