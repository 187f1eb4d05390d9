#!/bin/sh
# Runs its arguments with the first Python that is new enough: $PYTHON, or that of the folder's own
# .venv, or one on the PATH. A name proves nothing (it may be a shim, which takes a third of a
# second), so each candidate is asked.

supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

for python in ${PYTHON:-.venv/bin/python python3.13 python3.12 python3.11 python3 python}; do
    if "$python" -c "$supported" >/dev/null 2>&1; then
        exec "$python" "$@"
    fi
done

if [ -n "$PYTHON" ]; then
    echo "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13." >&2
else
    echo "Python 3.11, 3.12 or 3.13 is needed and none was found; python3 here is:" >&2
    python3 --version >&2 || true
    echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name it:" >&2
    echo "    make run PYTHON=/path/to/python3.12" >&2
fi
exit 1
