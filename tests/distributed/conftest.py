"""`minibert pretrain` on a few ranks."""

import pytest
from mpi_runner import Ranks

SENTENCES = ["The quick brown fox jumps.", "A cat sat on the mat.", "Nobody knows why.", "The river runs to the sea."]
OPTIONS = (
    "--corpus text.txt --max_steps 6 --warmup_steps 1 --eval_every 3 --eval_batches 1 --batch_size 5 --seq_len 24 "
    "--vocab_size 60 --log_every 2 --heldout 0.3 --save_every 3 --save_total_limit 0 --dtype float64 --backend numpy"
).split()


@pytest.fixture
def pretrain(tmp_path):
    """Starts it on so many ranks, on a small text; a `program` may stand for `-m minibert`."""
    documents = ["\n".join(SENTENCES[(d + s) % 4] for s in range(3 + d % 4)) for d in range(12)]
    (tmp_path / "text.txt").write_text("\n\n".join(documents), encoding="utf-8")
    ranks = Ranks(tmp_path, MINIBERT_CACHE=str(tmp_path / "cache"))

    def start(size, *options, program=("-m", "minibert")):
        if "--resume_from_checkpoint" not in options:
            options = [*OPTIONS, *options]
        return ranks.start(size, *program, "pretrain", *options)

    return start
