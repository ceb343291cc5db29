"""Explanations are true: evaluated with NumPy, each gives what the op returned."""

import re

import numpy as np
import pytest
from view_cases import NAMES, TASKS, pair_steps, steps, task_steps

from minibert.ops import gelu, gelu_tanh, tanh
from minibert.ops.attention import softmax
from minibert.view.explain import explain
from minibert.view.explanation import Elementwise, LookUp, Scatter, Softmax, Sum, Terms

FUNCTIONS = {f.__name__: lambda x, f=f: f(x)[0] for f in (gelu, gelu_tanh, tanh)} | {"exp": np.exp, "log": np.log}


def evaluated(e):
    """The array that an explanation explains."""
    if isinstance(e, Sum):
        total = e.scale * np.einsum(",".join(f[2] for f in e.factors) + f"->{e.out}", *(f[1] for f in e.factors))
        return total if e.plus is None else total + e.plus[1]
    if isinstance(e, Terms):
        return sum(array for _, array in e.terms)
    if isinstance(e, Softmax):
        return softmax(e.scores)
    if isinstance(e, LookUp):
        return np.array(e.table)[e.ids]
    if isinstance(e, Scatter):
        total = np.zeros((e.ids.max() + 1, e.dy.shape[1])) if e.before is None else e.before.copy()
        np.add.at(total, e.ids, e.dy)
        return total
    assert isinstance(e, Elementwise)
    formula, values = e.formula.partition(" = ")[2], {}
    for i, (name, array) in enumerate(sorted(e.values, key=lambda item: -len(item[0]))):
        formula = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", f"v{i}", formula)
        values[f"v{i}"] = array
    return eval(formula, FUNCTIONS | values)


def all_explanations(view):
    for record in view.trace:
        explained = explain(record)
        if explained is None:
            assert record.parts, f"{record.name} is neither explained nor made of others"
            continue
        assert explained.outputs.keys() >= record.outputs.keys(), record.name  # what is frozen has no gradient
        for n, array in record.outputs.items():
            yield record, n, array, explained.outputs[n]
        for n, (array, e) in explained.inside.items():
            yield record, n, array, e


@pytest.mark.parametrize("dropout_key", [None, (0, 1)])
@pytest.mark.parametrize("name", [*NAMES, "lora"])
def test_every_number_is_explained_rightly(name, dropout_key):
    checked = all_right(steps(name, dropout_key))
    assert {("linear", "y"), ("attention", "P"), ("attention_backward", "dk"), ("cross_entropy", "L")} <= checked
    if name == "lora":  # what it was added to is frozen
        assert {("low_rank", "y"), ("low_rank_backward", "dx"), ("low_rank_backward", "da")} <= checked
        return
    assert {("linear_backward", "dweight"), ("layer_norm_backward", "dx"), ("embedding_backward", "dtable")} <= checked


LOSSES = {
    "one label": "cross_entropy",
    "smoothed": "smoothed_cross_entropy",
    "several labels": "binary_cross_entropy",
    "a number": "mean_squared_error",
    "numbers": "mean_squared_error",
}


@pytest.mark.parametrize("task", TASKS)
def test_the_losses_of_tasks_are_explained_rightly(task):
    checked = all_right(task_steps(f"Bert, SequenceClassification, {task}"))
    gradient = "dpredictions" if LOSSES[task] == "mean_squared_error" else "dlogits"
    assert {(LOSSES[task], "L"), (f"{LOSSES[task]}_backward", gradient)} <= checked


@pytest.mark.parametrize("scored", [True, False])
def test_vectors_of_texts_are_explained_rightly(scored):
    checked = all_right(pair_steps(scored))
    ops = ("mean_pooling", "l2_normalise", "mean_squared_error" if scored else "cross_entropy")
    assert set(ops) | {f"{op}_backward" for op in ops} <= {op for op, _ in checked}


def all_right(view):
    """Check every explanation with NumPy; return {(op, what it made)}."""
    checked = set()
    for record, n, array, e in all_explanations(view):
        if n == "scores":  # words, not a formula: what is hidden is minus infinity
            continue
        value = evaluated(e)
        if isinstance(e, Scatter):  # rows behind the last id that was looked up
            value = np.pad(value, ((0, len(array) - len(value)), (0, 0)))
        np.testing.assert_allclose(value, array, rtol=1e-12, atol=1e-14, err_msg=f"{record.name} {record.place} {n}")
        checked.add((record.name, n))
    return checked
