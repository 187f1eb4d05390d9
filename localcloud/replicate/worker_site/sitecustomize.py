"""End this process when its parent is gone.

On the PYTHONPATH of the Cog processes. The kernel ends Cog's server together with the server
that started it, but nothing ends Cog's worker: while it computes, it notices nothing. A
PR_SET_PDEATHSIG in the worker would not do: that signal follows the thread that started it,
and Cog starts it from a thread pool.
"""

import os
import threading
import time


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()
