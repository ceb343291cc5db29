"""Rung 6: the real weights give the vectors of `transformers` with mean pooling and normalisation.

Unit vectors in float32: the largest difference is about 3e-7, the promise 1e-5.
"""

import numpy as np
import pytest

import minibert

SENTENCES = [
    "A man is eating food.",
    "A man is eating a piece of bread.",
    "",
    "Übergröße, naïve café, 東京 and 🙂!",
    "x",
    "The girl is carrying a baby. " * 20,
    "word " * 600,
]


@pytest.mark.oracle
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_it_agrees_with_transformers(minilm, backend, side):
    torch = pytest.importorskip("torch", reason="needs the extra `oracle`")
    transformers = pytest.importorskip("transformers", reason="needs the extra `oracle`")
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm, padding_side=side)
    batch = tokenizer(SENTENCES, padding=True, truncation=True, max_length=256, return_tensors="pt")
    if side == "left":  # their BERT counts positions from the left edge
        batch["position_ids"] = (batch["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    with torch.inference_mode():
        hidden = transformers.BertModel.from_pretrained(minilm).eval()(**batch).last_hidden_state
    mask = batch["attention_mask"][:, :, None]
    theirs = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy()
    encoder = minibert.SentenceEncoder.from_pretrained(minilm)
    with minibert.backend(backend), pytest.warns(UserWarning, match="1 of 7 sentences are longer than the 256 tokens"):
        ours = encoder.encode(SENTENCES)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_it_knows_what_is_alike(minilm):
    encoder = minibert.SentenceEncoder.from_pretrained("all-minilm-l6-v2")
    eating, bread, baby = encoder.encode([SENTENCES[0], SENTENCES[1], "The girl is carrying a baby."])
    assert encoder.similarity(eating, bread) > 0.7
    assert abs(encoder.similarity(eating, baby)) < 0.2
    assert np.linalg.norm(eating) == pytest.approx(1, abs=1e-6)
