"""What the commands about tasks print."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from minibert.evaluation.bootstrap import Interval
from minibert.finetuning.arguments import LORA

if TYPE_CHECKING:
    from minibert.finetuning.arguments import FinetuneArguments
    from minibert.finetuning.finetune import Prepared, Result

EXAMPLES = {  # task -> the command that uses the result, and what is handed to it
    "question-answering": ("predict", '--question "What?" --context "A text."'),
    "multiple-choice": ("predict", '"A text." --choices "One." "Another."'),
    "pairs": ("embed", '"A text." "Another."'),
}


def prepared_for(prepared: "Prepared", args: "FinetuneArguments") -> str:
    """Return what is going to be trained on what."""
    model = prepared.model
    learned, total = model.num_trainable_parameters(), model.num_parameters()
    lines = [
        f"{type(prepared.start.model).__name__} ({prepared.source}, {prepared.start.about}), method {args.method}: "
        f"{learned:,} of {total:,} parameters train ({learned / total:.2%})",
        f"{len(prepared.train.inputs):,} examples to train on, {len(prepared.heldout.inputs):,} held out "
        f"({prepared.about})" + (f", {len(prepared.validation.inputs):,} to stop by" if prepared.validation else ""),
    ]
    if prepared.task.kind in ("sequence-classification", "token-classification") and args.task != "regression":
        lines.append(f"labels: {', '.join(prepared.start.names[:20])}" + ", ..." * (len(prepared.start.names) > 20))
    if args.method == LORA and args.lora_r > model.config.hidden_size:
        lines.append(
            f"note: --lora_r {args.lora_r:,} is more than the width of the model, {model.config.hidden_size}: such a "
            "product is no longer of low rank, and takes more parameters than the weight that it adds to"
        )
    if prepared.common:
        lines.append(
            f"note: {prepared.common:,} of the {len(prepared.heldout.inputs):,} held-out examples are among those to "
            "train on: what is measured on them says nothing about others"
        )
    if prepared.skipped:
        lines.append(f"note: {prepared.skipped:,} rows with an empty text are left out")
    for part, labelled in (("training", prepared.train), ("held-out", prepared.heldout)):
        lines += truncation(labelled.encoded.truncated, len(labelled.inputs), prepared.max_length, part)
    return "\n".join(lines)


def truncation(truncated: int, total: int, max_length: int, what: str = "") -> list[str]:
    """Return the line that says how many texts were cut off, if any were."""
    if not truncated:
        return []
    what = f"{what} " if what else ""
    return [f"note: {truncated:,} of {total:,} {what}texts are longer than {max_length} tokens and were cut off there"]


def metric_lines(metrics: dict[str, Interval]) -> list[str]:
    """Return a line for each metric, with its interval."""
    wide = max(map(len, metrics))
    return [f"  {name:<{wide}}  {i.value:.4f}  [{i.low:.4f}, {i.high:.4f}]" for name, i in metrics.items()]


def finetuned(result: "Result", prepared: "Prepared", folder: Path) -> str:
    """Return what came out, and what to do with it."""
    title = f"on {len(prepared.heldout.inputs):,} held-out examples, with 95 % bootstrap intervals:"
    usual = '"A text." --pair "Another."' if prepared.task.columns.pair else '"A text."'
    command, example = EXAMPLES.get(prepared.task.name, ("predict", usual))
    advice = f"{folder}\n  minibert {command} {shlex.quote(str(folder))} {example}"
    return "\n".join([title, *metric_lines(result.metrics), advice])
