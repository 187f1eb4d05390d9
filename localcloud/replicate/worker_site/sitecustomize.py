"""Ends this process when its parent has ended.

Every Cog process loads this from its PYTHONPATH. The kernel ends Cog's server together with this
project's server, but nothing would end Cog's worker during a prediction. PR_SET_PDEATHSIG is no
help: it follows the thread that started the worker, which Cog does from a thread pool.
"""

import os
import threading
import time


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()
