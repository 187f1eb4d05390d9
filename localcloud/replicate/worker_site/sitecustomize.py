"""Ends this process when its parent has ended, and offers it to the kernel when memory is short.

Every Cog process loads this from its PYTHONPATH. The kernel ends Cog's server together with this
project's server, but nothing would end Cog's worker during a prediction. PR_SET_PDEATHSIG is no
help: it follows the thread that started the worker, which Cog does from a thread pool.
"""

import contextlib
import os
import pathlib
import select
import threading
import time

# Added to the share of memory by which the kernel chooses what to kill, in thousandths. A killed
# model costs one prediction; a killed database would cost more.
OOM_SCORE_ADJUSTMENT = "500"


def _follow(parent: int) -> None:
    with contextlib.suppress(AttributeError, OSError):  # not Linux, or a Linux before 5.3
        ended = select.poll()
        ended.register(os.pidfd_open(parent), select.POLLIN)
        if os.getppid() == parent:  # else its id may be another process's by now
            ended.poll()
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()
with contextlib.suppress(OSError):
    pathlib.Path("/proc/self/oom_score_adj").write_text(OOM_SCORE_ADJUSTMENT)
