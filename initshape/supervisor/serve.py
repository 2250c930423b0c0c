"""Runs a stack in the foreground until SIGINT, SIGTERM, or the terminal goes."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

from initshape.supervisor.stack import Options, Stack, StackError

_TEND_SECONDS = 0.1


def serve(options: Options) -> int:
    """Exit code 0 after a signal, 2 where the server cannot run as asked.

    The address, and at the first start the token, go to stdout; what happens goes to stderr and to the log files.
    """
    os.umask(0o077)  # logs and data are this user's
    signals: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        signals.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    stack = Stack(options, _say)
    try:
        if stack.start(wanted=lambda: not signals):
            _greet(stack)
            while not signals:
                stack.tend()
                time.sleep(_TEND_SECONDS)
        _say("stopping; once more to stop at once")
    except StackError as error:
        print(f"initshape: {error}", file=sys.stderr)
        return 2
    finally:
        asked = len(signals)
        stack.stop(hurry=lambda: len(signals) > asked)
    _say("stopped")
    return 0


def _greet(stack: Stack) -> None:
    print(f"initshape is ready at {stack.url}  (API reference: {stack.url}/docs)", flush=True)
    if stack.new_token is not None:
        print(f"admin token, shown only now: {stack.new_token}", flush=True)
        _say(f"commands on this machine find it in {stack.place.token}")
    workers = f"{stack.options.workers} worker" + ("s" if stack.options.workers > 1 else "")
    _say(f"{workers}; data in {stack.place.data_dir}; logs in {stack.place.data_dir / 'logs'}; Ctrl-C stops everything")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
