"""Prompt tuning: n virtual tokens before each text, and nothing else."""

import numpy as np
import pytest
from adapter_cases import MODELS, adapted, base

from minibert import backend
from minibert.blocks.token_vectors import token_vectors, token_vectors_backward
from minibert.errors import ConfigError, DataError
from minibert.finetuning.peft_config import PromptTuningConfig
from minibert.finetuning.peft_model import get_peft_model
from minibert.finetuning.prompt_tuning import with_prompt
from minibert.gradcheck import check_gradients
from minibert.tree import tree_get


@pytest.mark.parametrize("name", MODELS)
def test_virtual_tokens_with_the_vectors_of_real_ones_are_those_tokens(name):
    """A prompt that begins as tokens 4 and 7 gives the logits of texts that begin with these tokens."""
    model, batch = base(name)
    ids = np.array([4, 7])
    longer = {k: v for k, v in with_prompt(batch, 11, 2).items() if "label" not in k}
    longer["input_ids"] = np.concatenate([np.tile(ids, (3, 1)), batch["input_ids"]], axis=1)
    expected = model(**longer).logits[:, 2:]
    tuned = get_peft_model(
        model,
        PromptTuningConfig(num_virtual_tokens=2, prompt_tuning_init="TEXT", prompt_tuning_init_text="any"),
        tokenizer=lambda text: {"input_ids": [4, 7, 9]},  # cut
    )
    found = tuned(**{k: v for k, v in batch.items() if "label" not in k}).logits
    np.testing.assert_array_equal(found, expected)


def test_a_short_text_is_repeated_and_random_ones_look_like_tokens():
    model, _ = base("gpt2")
    table = np.array(model.params["embeddings"]["token"])
    config = PromptTuningConfig(num_virtual_tokens=5, prompt_tuning_init="TEXT", prompt_tuning_init_text="any")
    tuned = get_peft_model(model, config, tokenizer=lambda text: {"input_ids": [4, 7]})
    np.testing.assert_array_equal(tree_get(tuned.params, "embeddings.prompt"), table[[4, 7, 4, 7, 4]])
    sampled = get_peft_model(
        base("gpt2")[0], PromptTuningConfig(num_virtual_tokens=5, prompt_tuning_init="SAMPLE_VOCAB")
    )
    assert all((row == table).all(1).any() for row in sampled.params["embeddings"]["prompt"])
    drawn = get_peft_model(base("gpt2")[0], PromptTuningConfig(num_virtual_tokens=8), seed=1).params["embeddings"][
        "prompt"
    ]
    assert 0.7 * table.std() < drawn.std() < 1.3 * table.std()


def test_what_a_batch_becomes():
    batch = {
        "input_ids": [[5, 6, 7]],
        "attention_mask": [[1, 1, 0]],
        "token_type_ids": [[0, 1, 1]],
        "position_ids": [[0, 1, 2]],
        "labels": [[-100, 6, -100]],
        "start_positions": [1],
    }
    expected = {
        "input_ids": [[100, 101, 5, 6, 7]],
        "attention_mask": [[1, 1, 1, 1, 0]],
        "token_type_ids": [[0, 0, 0, 1, 1]],
        "position_ids": [[0, 1, 2, 3, 4]],
        "labels": [[-100, -100, -100, 6, -100]],
        "start_positions": [3],
    }
    assert {k: np.asarray(v).tolist() for k, v in with_prompt(batch, 100, 2).items()} == expected


def test_labels_of_whole_texts_stay_and_choices_get_a_prompt_each():
    assert with_prompt({"input_ids": [[5, 6]], "labels": [1]}, 100, 2)["labels"] == [1]
    assert with_prompt({"input_ids": [[5, 6]], "labels": [[0.0, 1.0]]}, 100, 2)["labels"] == [[0.0, 1.0]]
    choices = with_prompt({"input_ids": [[[5], [6]]]}, 100, 2)["input_ids"]
    assert choices.tolist() == [[[100, 101, 5], [100, 101, 6]]]


def test_ids_of_virtual_tokens_are_refused_without_a_prompt_and_too_long_texts_with_one():
    model, batch = base("bert")
    with pytest.raises(DataError, match=r"0\.\.10"):
        model(input_ids=[[11]])
    tuned = get_peft_model(model, PromptTuningConfig(num_virtual_tokens=3))
    with pytest.raises(DataError, match="10 tokens"):
        tuned(input_ids=batch["input_ids"])
    with pytest.raises(ConfigError, match="no room"):
        get_peft_model(base("bert")[0], PromptTuningConfig(num_virtual_tokens=9))


def test_a_prompt_cannot_be_merged():
    model, _ = adapted("bert", "prompt")
    with pytest.raises(ConfigError, match="cannot be merged"):
        model.merge_and_unload()


@pytest.mark.parametrize("which", ["numpy", "numba"])
def test_both_tables_may_train(which):
    """Every element of both; id 0, which stands in for the virtual ones, receives only what is its own."""
    rng = np.random.default_rng(0)
    tables = {"token": rng.normal(size=(5, 3)), "prompt": rng.normal(size=(2, 3))}
    ids = np.array([[5, 6, 0, 3], [5, 6, 4, 3]])
    with backend(which):
        x, cache = token_vectors(ids, tables)
        dx = rng.normal(size=x.shape)
        grads = token_vectors_backward(dx, cache)
        errors = check_gradients(lambda p: float(np.sum(dx * token_vectors(ids, p)[0])), tables, grads)
    np.testing.assert_array_equal(x, np.concatenate([tables["token"], tables["prompt"]])[ids])
    assert max(error.relative_error for error in errors) <= 1e-6
