"""What happened inside a model: every op of a forward and a backward pass, with its numbers.

It hangs on the `@op` decorator alone (`minibert.dispatch`): no line of a model knows of it.
"""

from minibert.tracing.record import Record
from minibert.tracing.trace import Trace, trace

__all__ = ["Record", "Trace", "trace"]
