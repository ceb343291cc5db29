"""Small models with the heads of tasks and a batch for each: what the ladder's tests share.

Pairwise distinct odd sizes where heads allow it, padding, weights that are larger than in training.
"""

import numpy as np

import minibert

RNG = np.random.default_rng(0)
B, T, V, C = 3, 7, 11, 5
MASK = (np.arange(T) < np.array([[T], [5], [6]])).astype(int)
IDS = RNG.integers(3, V, (B, T))
WIDTHS = dict(
    vocab_size=V, hidden_size=6, num_hidden_layers=2, num_attention_heads=3, intermediate_size=10,
    max_position_embeddings=12, initializer_range=0.3,
)  # fmt: skip
GPT2 = dict(vocab_size=V, n_positions=9, n_embd=6, n_layer=2, n_head=3, n_inner=10, initializer_range=0.3)
CHOICES = np.stack([IDS, IDS[:, ::-1], IDS[[1, 2, 0]], IDS[[2, 0, 1]]], axis=1)  # (B, 4, T)

ONE_OF_FIVE = {"labels": np.array([4, -100, 0])}
SEQUENCE = {  # problem -> fields of the configuration, labels
    "one label": ({"num_labels": C}, ONE_OF_FIVE),
    "smoothed": ({"num_labels": C}, {**ONE_OF_FIVE, "label_smoothing": 0.2}),
    "several labels": ({"num_labels": C}, {"labels": (RNG.random((B, C)) < 0.5).astype(float)}),
    "a number": ({"num_labels": 1}, {"labels": RNG.normal(size=B)}),
    "numbers": ({"num_labels": C, "problem_type": "regression"}, {"labels": RNG.normal(size=(B, C))}),
}
SPANS = {"start_positions": np.array([1, T, 2]), "end_positions": np.array([3, 99, T])}


def padded(pad, mask=MASK):
    return {"input_ids": np.where(mask, IDS, pad), "attention_mask": mask}


def encoder_cases(family, config, pad):
    inputs, dropout = padded(pad), {"classifier_dropout": 0.4}
    for problem, (fields, labels) in SEQUENCE.items():
        yield "SequenceClassification", problem, config(**WIDTHS, **fields, **dropout), {**inputs, **labels}
    tags = {"labels": np.where(MASK & (IDS != 5), IDS % C, -100)}
    yield "TokenClassification", "one label", config(**WIDTHS, num_labels=C, **dropout), {**inputs, **tags}
    yield "QuestionAnswering", "spans", config(**WIDTHS), {**inputs, **SPANS}
    mask = np.repeat(MASK[:, None], 4, axis=1)
    choices = {"input_ids": np.where(mask, CHOICES, pad), "attention_mask": mask, "labels": np.array([3, 0, 2])}
    yield "MultipleChoice", "one label", config(**WIDTHS, **dropout), choices


CASES = {  # name -> class, configuration, batch
    f"{family}, {task}, {problem}": (getattr(minibert, f"{family}For{task}"), config, batch)
    for family, config_class, pad in (("Bert", minibert.BertConfig, 0), ("Roberta", minibert.RobertaConfig, 1))
    for task, problem, config, batch in encoder_cases(family, config_class, pad)
}
for problem, (fields, labels) in SEQUENCE.items():
    config = minibert.GPT2Config(**GPT2, **fields, pad_token_id=2, bos_token_id=0, eos_token_id=1)
    mask = np.ascontiguousarray(MASK[:, ::-1]) if problem == "numbers" else MASK
    batch = {**padded(2, mask), **labels}
    CASES[f"GPT2, SequenceClassification, {problem}"] = (minibert.GPT2ForSequenceClassification, config, batch)


def build(name):
    """The model in float64, every bias and normalisation moved off its initial value, and its batch."""
    cls, config, batch = CASES[name]
    model, rng = cls(config, seed=1, dtype="float64"), np.random.default_rng(1)
    model.params = minibert.tree.tree_map(lambda p: p + 0.1 * rng.normal(size=p.shape), model.params)
    return model, batch


def loss_of(model, batch, key=7):
    """The loss as a function of the parameters, with dropout."""

    def loss(params):
        model.params = params
        return model.forward_loss(batch, key, {})[0].total

    return loss


def without_smoothing(batch):
    """The batch as a call of the model takes it."""
    return {name: value for name, value in batch.items() if name != "label_smoothing"}


PROBLEMS = [name for name in CASES if "smoothed" not in name]  # where a batch is rows and no more


def rows_of(batch):
    """A batch as examples, without their padding where it is at the end of a text."""
    rows = [{name: column[i] for name, column in batch.items()} for i in range(len(batch["input_ids"]))]
    for row in rows:
        mask = row["attention_mask"]
        if mask.ndim == 1:
            T = np.flatnonzero(mask)[-1] + 1
            row |= {name: row[name][:T] for name in row if np.shape(row[name]) == mask.shape}
    return rows
