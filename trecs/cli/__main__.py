"""`python -m trecs.cli`."""

import sys

from trecs.cli import main

sys.exit(main())
