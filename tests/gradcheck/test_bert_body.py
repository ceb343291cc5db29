"""`BertModel.forward` and `backward`, for a head of one's own: both outputs, alone and together, with dropout."""

import numpy as np
import pytest
from task_cases import IDS, MASK, WIDTHS

import minibert
from minibert.errors import DataError
from minibert.gradcheck import check_direction, check_gradients
from minibert.tree import tree_map


def build():
    model, rng = minibert.BertModel(minibert.BertConfig(**WIDTHS), dtype="float64"), np.random.default_rng(1)
    model.params = tree_map(lambda p: p + 0.1 * rng.normal(size=p.shape), model.params)
    return model, rng


BOTH = ("last_hidden_state", "pooler_output")  # two paths meet at the first token


@pytest.mark.parametrize(
    "outputs", [("last_hidden_state",), ("pooler_output",), ("last_hidden_state", "pooler_output")]
)
def test_gradients_through_the_body(outputs):
    model, rng = build()
    output, cache = model.forward(IDS, MASK, dropout_key=(0, 1))
    cotangents = {name: rng.normal(size=output[name].shape) for name in outputs}
    grads = model.backward(cache, **{f"d{name}": dy for name, dy in cotangents.items()})

    def loss(params):
        model.params = params
        again, _ = model.forward(IDS, MASK, dropout_key=(0, 1))
        return sum((again[name] * dy).sum() for name, dy in cotangents.items())

    params = model.params
    for seed in range(2):
        assert check_direction(loss, params, grads, seed).relative_error <= 1e-6
    parts = {"pooler": params["pooler"], "embeddings": {"norm": params["embeddings"]["norm"]}}
    given = {"pooler": grads["pooler"], "embeddings": {"norm": grads["embeddings"]["norm"]}}

    def moved(part):
        return loss({**params, **part, "embeddings": {**params["embeddings"], **part["embeddings"]}})

    errors = check_gradients(moved, parts, given)
    assert max(error.relative_error for error in errors) <= 1e-6, errors


def test_forward_without_dropout_is_a_call():
    model, _ = build()
    output, expected = model.forward(IDS, MASK)[0], model(IDS, MASK)
    np.testing.assert_array_equal(output.last_hidden_state, expected.last_hidden_state)
    np.testing.assert_array_equal(output.pooler_output, expected.pooler_output)


def test_a_model_with_a_head_has_a_loss_instead():
    for kind in (minibert.BertForPreTraining, minibert.BertForSequenceClassification):
        with pytest.raises(DataError, match=f"{kind.__name__} has a head already: use losses_and_grads"):
            kind(minibert.BertConfig(**WIDTHS)).forward(IDS)
