"""Runs the app and the stand-ins for its three services: `python -m localcloud`."""

import sys

from localcloud import bytecode

if __name__ == "__main__":
    bytecode.keep()  # of what is imported from here on
    from localcloud.command import main

    sys.exit(main())
