"""What an operation that failed answers: the border between errors and system calls."""

import errno
import logging

from musefs.index.counters import Counter, degrade
from musefs.mount.serve.errno_table import errno_of

_log = logging.getLogger(__name__)


def answer(error: Exception, operation: str) -> int:
    """Return the errno for an error of an operation; an unexpected one is logged and counted."""
    number = errno_of(error)
    if number is not None:
        _log.debug("%s: %s", operation, error)
        return number
    degrade(Counter.HANDLER_CRASHES, "%s failed: %s", operation, repr(error))
    extra = {"counter": Counter.HANDLER_CRASHES.value}
    _log.error("a bug in %s", operation, exc_info=error, extra=extra)
    return errno.EIO
