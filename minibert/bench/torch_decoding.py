"""Hugging Face's GPT-2 with its cache: the other side of `decoding`."""

import functools
import inspect

import numpy as np
import torch
import transformers

from minibert.bench.timing import Side
from minibert.bench.torch_bert import threads_text
from minibert.models.gpt2 import GPT2LMHeadModel


def variants(model: GPT2LMHeadModel, prompt: int, new: int, threads: list[int]) -> dict[str, Side]:
    """Return the writing of their model with our weights, with several numbers of threads."""
    theirs = load(model)
    return {threads_text(n): side(theirs, model.config.vocab_size, prompt, new, n) for n in threads}


def load(model: GPT2LMHeadModel) -> transformers.GPT2LMHeadModel:
    """Return their model with our weights."""
    fields = {name: value for name, value in model.config.to_dict().items() if name != "model_type"}
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**fields)).eval()
    tensors = {name: torch.from_numpy(np.ascontiguousarray(tensor)) for name, tensor in model.to_hf().items()}
    theirs.load_state_dict(tensors, strict=False)  # the head is tied to the table
    return theirs


def side(theirs: transformers.GPT2LMHeadModel, vocab_size: int, prompt: int, new: int, threads: int) -> Side:
    """Return their writing; each run puts the cache back to the prompt."""
    from minibert.bench.decoding import random_prompt

    with torch.inference_mode():
        read = theirs(torch.from_numpy(random_prompt(vocab_size, prompt)), use_cache=True)
    past, first = read.past_key_values, read.logits[:, -1]
    name = "cache" if "cache" in inspect.signature(theirs.forward).parameters else "past_key_values"  # of old releases

    def run() -> list[int]:
        if written := past.get_seq_length() - prompt:
            past.crop(-written)
        tokens, logits = [], first
        with torch.inference_mode():
            for _ in range(new):
                token = logits.argmax(-1, keepdim=True)
                tokens.append(int(token))
                logits = theirs(token, **{name: past}, use_cache=True).logits[:, -1]
        return tokens

    return Side(run, functools.partial(torch.set_num_threads, threads))
