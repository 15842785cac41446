"""``python -m edgeage``."""

import sys

from edgeage.cli.main import main

sys.exit(main())
