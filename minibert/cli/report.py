"""What `minibert pretrain` tells: before, during, and after."""

import os
import shlex
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from minibert.data.token_corpus import TokenCorpus
from minibert.data.tokenizer import special_ids, word_starts
from minibert.models.base import Model
from minibert.ops.attention import softmax
from minibert.pipelines.fill_mask import FillMask
from minibert.training.arguments import PretrainArguments
from minibert.training.log import read_log
from minibert.view.curves import plot_runs


def start(args: PretrainArguments, model: Model, training: TokenCorpus, heldout: TokenCorpus, folder: Path) -> None:
    """Print what is going to be trained on what."""
    print(
        f"{type(model).__name__} ({args.model}, {model.num_parameters():,} parameters, {args.backend}, {args.dtype}) "
        f"on {', '.join(args.corpus)}: {training.n_tokens:,} tokens in {len(training.documents):,} documents to train "
        f"on, {heldout.n_tokens:,} in {len(heldout.documents):,} held out\n"
        f"{args.max_steps:,} steps of {args.batch_size * args.gradient_accumulation_steps} sequences of up to "
        f"{args.seq_len} tokens; the run folder is {folder}",
        flush=True,
    )


def evaluation(step: int, record: dict[str, float]) -> str:
    """Return one line about an evaluation."""
    line = (
        f"step {step:>6}  held out: MLM loss {record['eval_mlm_loss']:.3f} (unigram {record['eval_unigram_loss']:.3f})"
        f"  perplexity {record['eval_perplexity']:.1f}  MLM accuracy {record['eval_mlm_accuracy']:.1%}"
    )
    if "eval_nsp_accuracy" in record:
        line += f"  NSP accuracy {record['eval_nsp_accuracy']:.1%}"
    return line


def finish(folder: Path, model: Model, tokenizer: Tokenizer, heldout: TokenCorpus, seed: int) -> None:
    """Draw the curve, fill in five held-out sentences, and say where everything is."""
    plot_runs([folder], folder / "loss.png")
    print("\nHeld-out sentences, filled in: {right}, {guess, not truth}")
    for line in filled_sentences(model, tokenizer, heldout, np.random.default_rng(seed)):
        print(f"  - {line}")
    last = [record for record in read_log(folder) if "eval_mlm_loss" in record][-1]
    below = last["eval_unigram_loss"] - last["eval_mlm_loss"]
    print(
        f"\nHeld-out MLM loss {last['eval_mlm_loss']:.3f}: {abs(below):.2f} nats "
        f"{'below' if below >= 0 else 'above'} the best guess without context"
    )
    print(f"{folder}{os.sep}")
    print("  config.json, model.safetensors   the model, in Hugging Face's format")
    print("  tokenizer.json, vocab.txt        its tokenizer")
    print("  log.jsonl, loss.png              how it went")
    print("  training_args.json               the options")
    print(f'\nTry: minibert fill-mask {shlex.quote(str(folder))} "a text with a [MASK] in it"')


def filled_sentences(
    model: Model, tokenizer: Tokenizer, corpus: TokenCorpus, rng: np.random.Generator, count: int = 5
) -> list[str]:
    """Return `count` sentences of the corpus in which one word in six was hidden and guessed again."""
    fill, starts = FillMask(model, tokenizer), word_starts(tokenizer)
    longest = model.config.max_position_embeddings - 2
    numbers = [
        i
        for document in rng.permutation(corpus.documents)[:50]
        for i in corpus.sentences(document)
        if min(8, longest) <= len(corpus.sentence(i)) <= min(40, longest)
    ]
    chosen = rng.permutation(numbers)[:count] if numbers else []
    return [_filled(fill, corpus.sentence(int(i)).astype(np.int64), starts, rng) for i in chosen]


def _filled(fill: FillMask, truth: np.ndarray, starts: np.ndarray, rng: np.random.Generator) -> str:
    """Hide some pieces that are words of their own, guess them, and return the text with the guesses marked."""
    ids = special_ids(fill.tokenizer)
    whole = starts[truth] & np.append(starts[truth[1:]], True)  # (T,)
    whole &= np.array([any(c.isalpha() for c in fill.tokenizer.id_to_token(int(i))) for i in truth])
    places = np.sort(rng.permutation(np.flatnonzero(whole))[: max(1, len(truth) // 6)])
    hidden = truth.copy()
    hidden[places] = ids.mask
    row = np.concatenate([[ids.cls], hidden, [ids.sep]])
    guesses = softmax(fill.model(row[None]).logits[0, 1:-1]).argmax(-1)  # (T,)
    pieces, last = [], 0
    for place in places:
        pieces.append(fill.tokenizer.decode(truth[last:place].tolist()))
        right, guess = (fill.tokenizer.id_to_token(int(i)) for i in (truth[place], guesses[place]))
        pieces.append(f"{{{right}}}" if guess == right else f"{{{guess}, not {right}}}")
        last = place + 1
    pieces.append(fill.tokenizer.decode(truth[last:].tolist()))
    return " ".join(piece for piece in pieces if piece)
