"""Lowers the priority of the process that imports this, and of those that it forks later.

Only the server of the sandbox does: pages and callbacks go first, also while it loads the parsers.
"""

import os

# Added to the niceness.
NICENESS = 5

os.nice(NICENESS)
