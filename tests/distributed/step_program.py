"""On each rank: the sums over the ranks of a few arrays, and a step of each of `rank_cases`, into rank-{rank}.npz.

The argument is the backend.
"""

import sys

import numpy as np
from rank_cases import CASES, SUMS, one_step, summand

import minibert
from minibert.distributed import world

with world() as ranks:
    results = {f"sum {size}": ranks.sum(summand(ranks.rank, size)) for size in SUMS}
    with minibert.backend(sys.argv[1]):
        for case in CASES:
            results |= {f"{case} {name}": array for name, array in one_step(case, world=ranks).items()}
    np.savez(f"rank-{ranks.rank}.npz", **results)
