"""Fetches the missing weights of the models: `python -m localcloud.weights`."""

import sys

from localcloud.weights.cache import main

sys.exit(main())
