"""``python -m evenhand``: the same as the command ``evenhand``."""

import sys

from evenhand.cli import main

sys.exit(main())
