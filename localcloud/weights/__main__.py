"""`python -m localcloud.weights` fetches the models' weights that are missing."""

import sys

from localcloud.weights.cache import main

sys.exit(main())
