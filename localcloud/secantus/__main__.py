# SPDX-License-Identifier: GPL-2.0-only
"""SecantusDB's own command line: python -m localcloud.secantus --port P --storage-path DIR ..."""

from __future__ import annotations

import sys

import secantus
from secantus.cli import main

from localcloud.secantus import patches

if __name__ == "__main__":
    if secantus.__version__ == patches.VERSION:
        patches.apply()
    else:
        print(
            f"SecantusDB {secantus.__version__} runs with its own query planner, which is slow: "
            f"the one of localcloud/secantus was written for {patches.VERSION}.",
            file=sys.stderr,
            flush=True,
        )
    sys.exit(main())
