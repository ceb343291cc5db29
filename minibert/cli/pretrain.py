"""Pre-train a BERT on text.

Without options: bert-tiny on the documentation of Python, which comes with Python itself. The run
folder then holds a checkpoint that Hugging Face opens too, the log and a picture of the loss.
"""

from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jsonargparse import ArgumentParser
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer

from minibert import dispatch
from minibert.allocator import keep_freed_memory
from minibert.cli import report
from minibert.cli.backend import compile_ahead
from minibert.data.corpora import resolve
from minibert.data.token_corpus import TokenCorpus
from minibert.data.tokenizer import (
    load_tokenizer,
    save_tokenizer,
    special_ids,
    train_wordpiece,
    vocabulary_size,
    word_starts,
)
from minibert.data.tokens import build_tokens
from minibert.errors import TrainingError
from minibert.evaluation.pretraining import evaluate, unigram
from minibert.files import write_json
from minibert.models.base import Model
from minibert.models.bert import BertConfig
from minibert.models.bert_heads import BertForMaskedLM, BertForPreTraining
from minibert.objectives.batches import PretrainingBatches
from minibert.objectives.masking import Vocabulary
from minibert.training.arguments import PretrainArguments
from minibert.training.log import RunLog
from minibert.training.loop import LoopSettings, train
from minibert.training.optimizer import AdamW
from minibert.training.run_folder import ARGUMENTS, choose_folder, new_run
from minibert.training.schedule import linear_warmup_decay
from minibert.user_cache import cache_folder

MODELS = {"mlm+nsp": BertForPreTraining, "mlm": BertForMaskedLM}


def add_arguments(parser: ArgumentParser) -> None:
    """Add every option of `PretrainArguments`."""
    parser.add_argument("--config", action="config", help="read options from a YAML file; --print_config writes one")
    for field in PretrainArguments.options():
        if field.type is bool:
            about = {"action": "store_true"}
        elif field.type is list:
            about = {"nargs": "+", "default": field.default_factory()}
        else:
            choices = field.metadata.get("choices")
            about = {"type": Literal[choices] if choices else field.type, "default": field.default}
        parser.add_argument(f"--{field.name}", help=field.metadata["help"], **about)


def run(arguments: dict[str, Any]) -> None:
    """Prepare the data, train, and show what was learned."""
    arguments.pop("config", None)
    args = PretrainArguments(**arguments)
    with dispatch.backend(args.backend):
        pretrain(args)


def pretrain(args: PretrainArguments) -> None:
    """Do the same on the active backend."""
    folder = choose_folder(args.output_dir, args.overwrite, run_name(args))
    keep_freed_memory()
    tokenizer, corpus = read_corpus(args)
    vocabulary = describe(tokenizer)
    model = make_model(args, vocabulary.size)
    training, heldout = corpus.split(args.heldout, args.seed)
    batches = make_batches(args, vocabulary, training, "training")
    examples = make_batches(args, vocabulary, heldout, "held-out")
    report.start(args, model, training, heldout, folder)
    compile_ahead(args.backend, args.dtype)
    with new_run(folder):
        write_json(folder / ARGUMENTS, args.to_dict())
        save_tokenizer(tokenizer, folder, model_max_length=args.seq_len)
        with threadpool_limits(blas_threads(args, model), user_api="blas"):
            fit(args, model, batches, examples, folder)
    report.finish(folder, model, tokenizer, heldout, args.seed)


def read_corpus(args: PretrainArguments) -> tuple[Tokenizer, TokenCorpus]:
    """Return the tokenizer, trained unless one was given, and the corpus as token ids."""
    documents = resolve(args.corpus)
    if args.tokenizer:
        tokenizer = load_tokenizer(args.tokenizer)
    else:
        tokenizer = train_wordpiece(documents, args.vocab_size, lowercase=not args.cased)
    return tokenizer, build_tokens(documents, tokenizer, cache_folder() / "tokens")


def describe(tokenizer: Tokenizer) -> Vocabulary:
    """Return what the objectives need to know about the tokenizer."""
    ids = special_ids(tokenizer)
    return Vocabulary(
        vocabulary_size(tokenizer), ids.pad, ids.cls, ids.sep, ids.mask, tuple(ids), word_starts(tokenizer)
    )


def make_model(args: PretrainArguments, vocab_size: int) -> BertForPreTraining:
    """Return a model of the size that was asked for, with random weights."""
    config = BertConfig.named(
        args.model,
        vocab_size=vocab_size,
        max_position_embeddings=args.seq_len,
        hidden_dropout_prob=args.dropout,
        attention_probs_dropout_prob=args.dropout,
    )
    return MODELS[args.objective](config, args.seed, args.dtype)


def blas_threads(args: PretrainArguments, model: Model) -> int | None:
    """Return how many threads NumPy's products may use; None: as many as it likes.

    Threads that share a small product spend their time waiting for one another, and very much of it
    when another program keeps a core busy.
    """
    if args.blas_threads:
        return args.blas_threads
    return 1 if model.config.hidden_size < 256 else None


def make_batches(args: PretrainArguments, vocabulary: Vocabulary, corpus: TokenCorpus, part: str) -> PretrainingBatches:
    """Return the batches of one part of the corpus, "training" or "held-out"."""
    return PretrainingBatches(
        corpus,
        vocabulary,
        args.objective,
        args.batch_size,
        args.seq_len,
        args.seed,
        args.mask_rate,
        args.whole_words,
        part,
    )


def fit(
    args: PretrainArguments, model: Model, batches: PretrainingBatches, examples: PretrainingBatches, folder: Path
) -> None:
    """Train, and save the weights at each evaluation."""
    heldout = [batch for _, batch in islice(examples.forever(), args.eval_batches)]  # the same masks every time
    baseline = unigram(ordinary_counts(examples))
    settings = LoopSettings(
        args.max_steps,
        args.log_every,
        args.eval_every,
        args.gradient_accumulation_steps,
        args.max_grad_norm,
        args.seed,
    )
    optimizer = AdamW(model.params, args.learning_rate, args.weight_decay)

    def learning_rate(step: int) -> float:
        return linear_warmup_decay(step, args.learning_rate, args.warmup_steps, args.max_steps)

    with RunLog(folder, args.max_steps) as log:

        def evaluation(step: int) -> dict[str, float]:
            record = evaluate(model, heldout)
            record |= {"eval_unigram_loss": baseline.loss, "eval_unigram_accuracy": baseline.accuracy}
            log.say(report.evaluation(step, record))
            if step > 0:
                model.save_pretrained(folder)
            return record

        try:
            train(model, optimizer, (b for _, b in batches.forever()), learning_rate, settings, log, evaluation)
        except KeyboardInterrupt:
            model.save_pretrained(folder)
            log.say(f"the weights so far are in {folder}")
            raise
        except TrainingError as error:
            model.save_pretrained(folder)
            raise TrainingError(f"{error}. The weights before it are in {folder}") from error


def ordinary_counts(examples: PretrainingBatches) -> np.ndarray:
    """Return how often each token occurs, without the special ones, which are never predicted: (V,)."""
    counts = examples.corpus.token_counts(examples.vocabulary.size)
    counts[list(examples.vocabulary.special)] = 0
    return counts


def run_name(args: PretrainArguments) -> str:
    """Return the name of the default run folder, for example bert-tiny-python-docs."""
    return f"{args.model}-{Path(args.corpus[0]).name.split('.')[0] if args.corpus[0] != '-' else 'stdin'}"
