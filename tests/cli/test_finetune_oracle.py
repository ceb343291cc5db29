"""What `minibert finetune` leaves is what Hugging Face and PEFT open: the same labels, the same probabilities."""

import json

import numpy as np
import pytest
from finetune_cases import checkpoint, write_csv

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch", reason="needs the extra `oracle` (PyTorch and transformers)")
transformers = pytest.importorskip("transformers", reason="needs the extra `oracle` (PyTorch and transformers)")

TEXT = "i loved it from the first minute"


@pytest.fixture
def ours(command, tmp_path):
    """Fine-tune with a method; return the probabilities of TEXT."""
    checkpoint(tmp_path / "base")
    write_csv(tmp_path / "films.csv")

    def run(*method):
        argv = ["--data", "films.csv", "--method", *method, "--output_dir", "out", "--max_steps", "9"]
        assert command("finetune", "base", *argv, "--learning_rate", "1e-2", "--lora_alpha", "4").code == 0
        return json.loads(command("predict", "out", TEXT, "--json").out)["probabilities"]

    return run


def probabilities(model, folder, names):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        logits = model.eval()(**tokenizer(TEXT, return_tensors="pt")).logits
    return dict(zip(names, torch.softmax(logits[0].double(), -1).tolist(), strict=True))


def test_a_model(ours, tmp_path):
    expected = ours("full")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    assert model.config.id2label == {0: "0", 1: "1"}
    assert probabilities(model, tmp_path / "out", ["0", "1"]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("method", [["lora"], ["prompt"], ["prompt", "--prompt_text", "a wonderful film"]])
def test_an_adapter(ours, tmp_path, method):
    peft = pytest.importorskip("peft", reason="needs the extra `oracle` (PEFT)")
    expected = ours(*method)
    base = transformers.BertForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=2)
    model = peft.PeftModel.from_pretrained(base, tmp_path / "out")
    found = probabilities(model, tmp_path / "out", ["0", "1"])
    assert found == pytest.approx(expected, abs=1e-6)
    assert not np.isclose(found["0"], 0.5, atol=1e-3)  # it has learned something
