"""What each kind of model is pre-trained with unless the user says otherwise, and how options become its parts."""

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from minibert.data.token_corpus import TokenCorpus
from minibert.data.tokenizer import separator_id, special_ids, vocabulary_of, vocabulary_size
from minibert.data.tokenizer_training import KINDS, train_tokenizer
from minibert.errors import ConfigError
from minibert.models.base import Model
from minibert.models.families import FAMILIES, family_of_size
from minibert.objectives.batches import PretrainingBatches
from minibert.objectives.blocks import CausalBatches
from minibert.tokenizers import AutoTokenizer
from minibert.tokenizers.base import PretrainedTokenizer
from minibert.training.arguments import AUTO, PretrainArguments

Batches = PretrainingBatches | CausalBatches
PUBLISHED_STD, PUBLISHED_WIDTH = 0.02, 768  # of the initial weights of BERT-base, and of the smallest GPT-2
LEARNING_RATE_TIMES_WIDTH = 0.256  # steps of Adam change each weight alike, and wider layers add up more of them


class Recipe(NamedTuple):
    """Of one kind of model."""

    tokenizer: str  # the kind that is trained by default
    settings: Callable[[PretrainArguments, PretrainedTokenizer], dict[str, Any]]  # of its configuration
    layouts: dict[str, str]  # objective -> the layout of its batches, where it has another name


def encoder_settings(args: PretrainArguments, tokenizer: PretrainedTokenizer) -> dict[str, Any]:
    """Positions, dropout and padding of BERT."""
    return {
        "max_position_embeddings": args.seq_len,
        "hidden_dropout_prob": args.dropout,
        "attention_probs_dropout_prob": args.dropout,
        "pad_token_id": special_ids(tokenizer).pad,
    }


def roberta_settings(args: PretrainArguments, tokenizer: PretrainedTokenizer) -> dict[str, Any]:
    """The same; positions are counted from the one behind the padding's."""
    ids = special_ids(tokenizer)
    more = {"max_position_embeddings": args.seq_len + ids.pad + 1, "bos_token_id": ids.cls, "eos_token_id": ids.sep}
    return {**encoder_settings(args, tokenizer), **more}


def gpt_settings(args: PretrainArguments, tokenizer: PretrainedTokenizer) -> dict[str, Any]:
    """Positions and dropout of GPT."""
    rates = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), args.dropout)
    return {"n_positions": args.seq_len, **rates}


def gpt2_settings(args: PretrainArguments, tokenizer: PretrainedTokenizer) -> dict[str, Any]:
    """The same, and the token that ends a text; a vocabulary of characters has none."""
    end = tokenizer.eos_token_id
    return {**gpt_settings(args, tokenizer), "bos_token_id": end, "eos_token_id": end}


RECIPES = {  # model_type -> recipe
    "bert": Recipe("wordpiece", encoder_settings, {}),
    "roberta": Recipe("bpe", roberta_settings, {"mlm": "mlm, full sentences"}),
    "gpt2": Recipe("bpe", gpt2_settings, {}),
    "openai-gpt": Recipe("bpe", gpt_settings, {}),
}


def resolve_arguments(args: PretrainArguments) -> PretrainArguments:
    """Return the arguments with every "auto", and every 0 that stands for it, replaced by what suits the model.

    Raises
    ------
    ConfigError
        If there is no such model, it cannot learn the objective, or an option says nothing to the objective.
    """
    family = family_of_size(args.model)
    objective = next(iter(family.heads)) if args.objective == AUTO else args.objective
    if objective not in family.heads:
        able = [size for other in FAMILIES.values() if objective in other.heads for size in other.config.sizes]
        raise ConfigError(
            f"{args.model} cannot learn {objective}, only {' or '.join(family.heads)}: choose another --objective, or "
            f"a model that can: {', '.join(able)}"
        )
    if objective == "clm" and args.whole_words:
        raise ConfigError("--whole_words is about hidden words, but clm hides none: leave it out")
    tokenizer = RECIPES[family.name].tokenizer if args.tokenizer in (AUTO, "") else args.tokenizer
    width = family.config.named(args.model).hidden_size
    return dataclasses.replace(
        args,
        objective=objective,
        tokenizer=tokenizer,
        learning_rate=args.learning_rate or LEARNING_RATE_TIMES_WIDTH / width,
        initializer_range=args.initializer_range or PUBLISHED_STD * math.sqrt(PUBLISHED_WIDTH / width),
    )


def make_tokenizer(args: PretrainArguments, documents: Iterable[str]) -> PretrainedTokenizer:
    """Train a tokenizer of the kind that was named, or open the file."""
    if args.tokenizer not in KINDS:
        return AutoTokenizer.from_pretrained(args.tokenizer)
    masked = args.objective != "clm"
    return train_tokenizer(args.tokenizer, documents, args.vocab_size, lowercase=not args.cased, masked=masked)


def make_model(args: PretrainArguments, tokenizer: PretrainedTokenizer) -> Model:
    """Return a model of the size that was asked for, with random weights."""
    family = family_of_size(args.model)
    settings = RECIPES[family.name].settings(args, tokenizer)
    settings |= {"vocab_size": vocabulary_size(tokenizer), "initializer_range": args.initializer_range}
    config = family.config.named(args.model, **settings)
    return family.heads[args.objective](config, args.seed, args.dtype)


def make_batches(args: PretrainArguments, tokenizer: PretrainedTokenizer, corpus: TokenCorpus, part: str) -> Batches:
    """Return the batches of one part of the corpus, "training" or "held-out"."""
    return BATCHES[args.objective](args, tokenizer, corpus, part)


def _masked(args: PretrainArguments, tokenizer: PretrainedTokenizer, corpus: TokenCorpus, part: str) -> Batches:
    layouts = RECIPES[family_of_size(args.model).name].layouts
    shape = (args.batch_size, args.seq_len, args.seed, args.mask_rate, args.whole_words, part)
    return PretrainingBatches(corpus, vocabulary_of(tokenizer), layouts.get(args.objective, args.objective), *shape)


def _causal(args: PretrainArguments, tokenizer: PretrainedTokenizer, corpus: TokenCorpus, part: str) -> Batches:
    shape = (args.batch_size, args.seq_len, args.seed, part)
    return CausalBatches(corpus, separator_id(tokenizer), vocabulary_size(tokenizer), *shape)


BATCHES = {"mlm+nsp": _masked, "mlm": _masked, "clm": _causal}
