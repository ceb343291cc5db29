"""From `TrainingArguments` and a number of examples to steps: how many, when what happens, and what each trains on."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from minibert.training.examples import Examples, in_batches, order_of
from minibert.training.feed import Feed
from minibert.training.loop import Batch, LoopSettings
from minibert.training.training_arguments import TrainingArguments


def loop_settings(args: TrainingArguments, n: int) -> LoopSettings:
    """Return what `args` mean for n examples."""
    full, rest = divmod(n, args.per_device_train_batch_size)
    batches = full if args.dataloader_drop_last and full else full + (rest > 0)
    per_epoch = math.ceil(batches / args.gradient_accumulation_steps)
    max_steps = args.max_steps if args.max_steps > 0 else math.ceil(args.num_train_epochs * per_epoch)
    return LoopSettings(
        max_steps,
        log_every=args.every("logging", max_steps, per_epoch),
        eval_every=args.every("eval", max_steps, per_epoch),
        save_every=args.every("save", max_steps, per_epoch),
        steps_per_epoch=per_epoch,
        eval_on_start=args.eval_on_start,
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        max_grad_norm=args.max_grad_norm or None,
        max_skipped_steps=args.max_skipped_steps,
        seed=args.seed,
    )


def step_batches(args: TrainingArguments, examples: Examples, collate: Callable) -> Feed[list[Batch]]:
    """Return the parts of each step's batch, epoch after epoch. The last step of an epoch may have fewer."""
    n, size, k = len(examples), args.per_device_train_batch_size, args.gradient_accumulation_steps
    seed = args.seed if args.data_seed is None else args.data_seed
    smoothing = {"label_smoothing": args.label_smoothing_factor} if args.label_smoothing_factor else {}
    lengths = examples.lengths() if args.train_sampling_strategy == "group_by_length" else None

    def batch(places: np.ndarray) -> Batch:
        return {**collate([examples[i] for i in places]), **smoothing}

    def epoch(number: int) -> Iterator[list[Batch]]:
        order = order_of(n, args.train_sampling_strategy, lengths, size, (seed, number))
        batches = in_batches(order, size, args.dataloader_drop_last)
        for i in range(0, len(batches), k):
            yield [batch(places) for places in batches[i : i + k]]

    return Feed(epoch)
