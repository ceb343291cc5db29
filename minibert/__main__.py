"""`python -m minibert` is the command line."""

import sys

from minibert.cli import main

sys.exit(main())
