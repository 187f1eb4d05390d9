"""Serves a WSGI app to strangers, with every wait, size and number bounded.

`Front` is an ASGI app around the WSGI app, `run` serves it with uvicorn. Requests are read whole
before they get a thread, and answers are sent without one, so that slow clients cost a connection
and no thread. Where something is used up, the client that has kept the server waiting longest
loses its connection.
"""

from .front import Front
from .lanes import Lane, Rule
from .limits import Limits
from .quiet import QuietServer
from .server import run

__all__ = ["Front", "Lane", "Limits", "QuietServer", "Rule", "run"]
