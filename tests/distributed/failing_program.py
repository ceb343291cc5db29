"""`minibert`, but a rank fails at step 2. The arguments begin with the rank and the name of the error."""

import sys

from minibert import cli, errors
from minibert.distributed import world
from minibert.training.stop_signals import StopOnSignal

rank, name = int(sys.argv.pop(1)), sys.argv.pop(1)
error = getattr(errors, name, KeyError)("the disk of this node has gone")


def fail(self, args, state, control, **context):
    if (world().rank, state.global_step) == (rank, 2):
        raise error


StopOnSignal.on_step_begin = fail
if __name__ == "__main__":
    sys.exit(cli.main())
