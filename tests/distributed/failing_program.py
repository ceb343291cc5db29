"""`minibert`, but a rank fails at step 2. The arguments begin with the rank and the name of the error.

Where no error is of that name, the rank's parameters change.
"""

import sys

from minibert import cli, errors
from minibert.distributed import world
from minibert.training.stop_signals import StopOnSignal

rank, name = int(sys.argv.pop(1)), sys.argv.pop(1)
kinds = {"DataError": errors.DataError, "KeyError": KeyError}


def fail(self, args, state, control, **context):
    if (world().rank, state.global_step) == (rank, 2):
        if name in kinds:
            raise kinds[name]("the disk of this node has gone")
        context["model"].params["nsp_head"]["bias"] += 1e-15


StopOnSignal.on_step_begin = fail
if __name__ == "__main__":
    sys.exit(cli.main())
