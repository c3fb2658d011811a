"""``python -m midspan_client``."""

import sys

from midspan_client.cli import main

sys.exit(main())
