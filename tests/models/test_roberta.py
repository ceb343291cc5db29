"""What RoBERTa changes in BERT: positions, initial vectors of the padding, names, defaults."""

import numpy as np
import pytest

import minibert
from minibert import BertForMaskedLM, RobertaConfig, RobertaForMaskedLM, RobertaModel
from minibert.errors import ConfigError, DataError
from minibert.tree import flatten

SMALL = dict(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=9,
)
IDS = np.random.default_rng(0).integers(2, 23, (4, 7))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [  # of the released checkpoints, with the masked-token head
        ("roberta-base", 124_697_433),
        ("roberta-large", 355_412_057),
    ],
)
def test_the_released_sizes_have_their_parameter_counts(name, parameters):
    def count(c):
        D, F = c.hidden_size, c.intermediate_size
        embeddings = (c.vocab_size + c.max_position_embeddings + c.type_vocab_size) * D + 2 * D
        layer = 4 * (D * D + D) + 2 * D * F + F + D + 4 * D
        return embeddings + c.num_hidden_layers * layer + D * D + D + 2 * D + c.vocab_size

    config = RobertaConfig.named(name)
    assert count(config) == parameters
    assert (config.max_length, config.layer_norm_eps) == (512, 1e-5)
    assert RobertaForMaskedLM(RobertaConfig(**SMALL)).num_parameters() == count(RobertaConfig(**SMALL))


def test_positions_begin_behind_the_paddings_and_skip_it():
    """Liu et al.'s code (fairseq, make_positions): the n-th token gets padding + n, padding gets its own id."""
    model = RobertaModel(RobertaConfig(**SMALL))
    np.testing.assert_array_equal(model.positions(np.array([[0, 5, 6]])), [2, 3, 4])
    positions = model.positions(np.array([[0, 5, 6, 2], [0, 7, 1, 1], [1, 0, 8, 2]]))
    np.testing.assert_array_equal(positions, [[2, 3, 4, 5], [2, 3, 1, 1], [1, 2, 3, 4]])


def test_the_longest_input_leaves_room_for_the_first_positions():
    model = RobertaModel(RobertaConfig(**SMALL))
    assert model(IDS).last_hidden_state.shape == (4, 7, 12)
    with pytest.raises(DataError, match="has 8 tokens, but the model has positions for 7"):
        model(np.full((1, 8), 3))


def test_it_is_bert_with_other_positions():
    """The same parameters give the same outputs in BERT if its table begins with row padding + 1."""
    ours = RobertaForMaskedLM(RobertaConfig(**SMALL), dtype="float64")
    theirs = BertForMaskedLM(minibert.BertConfig(**SMALL), dtype="float64")
    theirs.params = minibert.tree.tree_map(np.copy, ours.params)
    table = theirs.params["embeddings"]["position"]
    table[:7] = ours.params["embeddings"]["position"][2:]
    np.testing.assert_array_equal(ours(IDS).logits, theirs(IDS).logits)


def test_padding_changes_nothing():
    model = RobertaForMaskedLM(RobertaConfig(**{**SMALL, "max_position_embeddings": 12}), dtype="float64")
    for pieces in ([IDS, np.ones((4, 2), int)], [np.ones((4, 2), int), IDS]):
        padded = np.hstack(pieces)
        logits = model(padded, attention_mask=padded != 1).logits[padded != 1]
        np.testing.assert_allclose(logits, model(IDS).logits.reshape(logits.shape), rtol=1e-12, atol=1e-13)


def test_the_vectors_of_the_padding_begin_as_zeros():
    tables = RobertaModel(RobertaConfig(**SMALL, pad_token_id=3)).params["embeddings"]
    for name in ("token", "position"):
        assert [row for row, vector in enumerate(tables[name]) if not vector.any()] == [3]


def test_loss_at_initialisation_is_that_of_guessing():
    config = RobertaConfig.named("roberta-tiny", vocab_size=2000)
    ids = np.random.default_rng(0).integers(2, 2000, (16, 32))
    labels = np.where(np.random.default_rng(1).random(ids.shape) < 0.15, ids, -100)
    loss, _ = RobertaForMaskedLM(config).loss_and_grads(input_ids=ids, labels=labels)
    assert loss == pytest.approx(np.log(2000), rel=0.05)


@pytest.mark.parametrize("cls", [RobertaModel, RobertaForMaskedLM])
def test_a_saved_model_opens_with_the_same_bits(cls, tmp_path):
    model = cls(RobertaConfig(**SMALL), seed=3)
    model.save_pretrained(tmp_path)
    opened = cls.from_pretrained(tmp_path)
    assert opened.config == model.config
    for name, array in flatten(model.params).items():
        np.testing.assert_array_equal(flatten(opened.params)[name], array)


def test_a_body_opens_from_a_file_with_a_head(tmp_path):
    model = RobertaForMaskedLM(RobertaConfig(**SMALL), seed=3)
    model.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match=r"at random, not in the file: pooler\.weight, pooler\.bias$"):
        body = RobertaModel.from_pretrained(tmp_path)
    np.testing.assert_array_equal(body(IDS).last_hidden_state, model(IDS, output_hidden_states=True).hidden_states[-1])


def test_padding_needs_a_row_of_the_tables():
    for change in ({"pad_token_id": -1}, {"pad_token_id": 23}, {"pad_token_id": 8}):
        with pytest.raises(ConfigError, match="pad_token_id"):
            RobertaConfig(**{**SMALL, **change})
