"""How long a step takes on N ranks, from what one rank was seen to do and what a network can do.

The time line of one rank, which is that of all. Forward takes a third of the time that rows need, backward two thirds:
first the heads, then the layers from the last to the first. As soon as a layer has its gradients they go into the
network, one layer after the other, while the next is computed. What is left, the tables and the heads, goes when
backward has ended. The optimizer's update is the same work on every rank.
"""

import math
from dataclasses import replace
from typing import NamedTuple

from minibert.bench.flops import training_step
from minibert.bench.sizes import Sizes
from minibert.models.bert_heads import BertForPreTraining
from minibert.tree import tree_size

FLOAT = 4  # bytes
FORWARD = 1 / 3  # of the time of forward and backward


class Network(NamedTuple):
    """Between any two ranks."""

    bandwidth: float  # bytes a second, in each direction
    latency: float  # seconds a message


class Work(NamedTuple):
    """Of one model on one rank."""

    row: float  # seconds of forward and backward of one sequence
    update: float  # seconds of clipping and AdamW
    heads: float  # share of backward that is over before the layers begin
    layers: int
    layer_bytes: int  # gradients of a layer
    other_bytes: int  # and of all that is outside of the layers


class StepTime(NamedTuple):
    """Seconds of a step."""

    compute: float  # forward, backward and update
    messages: float  # sums over the ranks
    total: float  # less than the two together, as far as they overlap


def work_of(sizes: Sizes, row: float, update: float) -> Work:
    """Return the work of a BERT with what was measured of it."""
    config = sizes.config()
    model = BertForPreTraining(config, seed=None)
    everything, layer = model.num_parameters(), tree_size(model.params["encoder"]["layers"]["0"])
    one, two = (replace(config, num_hidden_layers=n) for n in (1, 2))
    shape = (sizes.batch_size, sizes.seq_len, sizes.predicted)
    layer_flops = training_step(two, *shape) - training_step(one, *shape)
    L = config.num_hidden_layers
    heads = 1 - L * layer_flops / training_step(config, *shape)
    return Work(row, update, heads, L, FLOAT * layer, FLOAT * (everything - L * layer))


def sum_seconds(n_bytes: int, ranks: int, network: Network) -> float:
    """Return how long `ordered_sum` takes: N - 1 messages to send slices and N - 1 to send sums, n_bytes / N each."""
    return 2 * (ranks - 1) * (network.latency + n_bytes / ranks / network.bandwidth)


def step_time(work: Work, ranks: int, rows: int, network: Network) -> StepTime:
    """Return how long a step of `rows` sequences, of all ranks together, takes."""
    rows_seconds = math.ceil(rows / ranks) * work.row  # of the rank that has most
    backward = (1 - FORWARD) * rows_seconds
    layer = backward * (1 - work.heads) / work.layers
    of_layer, of_others = (sum_seconds(n, ranks, network) for n in (work.layer_bytes, work.other_bytes))
    now = rows_seconds - backward + backward * work.heads
    sent = 0.0  # until then the network is busy
    for _ in range(work.layers):
        now += layer
        sent = max(sent, now) + of_layer
    sent = max(sent, rows_seconds) + of_others
    return StepTime(rows_seconds + work.update, work.layers * of_layer + of_others, sent + work.update)
