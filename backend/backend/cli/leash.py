"""Become a command that ends when the process which started it ends, however that ends.

Run as a file, as `python -I -S leash.py PARENT_PID COMMAND...`: a fresh process may call what a fork of a process with
threads may not. Elsewhere than on Linux the command is run without the leash.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the leash was on
            sys.exit(1)
    os.execv(command[0], command)
