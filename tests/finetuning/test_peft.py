"""Rung 4 for adapters: what PEFT saves opens here, what is saved here PEFT opens; logits and gradients agree.

float64. PEFT makes adapters in float32 and moves its model's numbers through files, so both sides read the same file.
"""

import json

import numpy as np
import pytest
from adapter_cases import EVERYTHING, put

import minibert
from minibert.finetuning.peft_config import LoraConfig, PromptTuningConfig
from minibert.finetuning.peft_model import PeftModel, get_peft_model
from minibert.finetuning.prompt_tuning import PROMPT
from minibert.frozen import trainable
from minibert.tree import flatten, tree_get

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore"),  # PEFT's, about Conv1D, small vocabularies and what will be deprecated
]
torch = pytest.importorskip("torch", reason="needs the extra `oracle` (PyTorch, transformers and PEFT)")
transformers = pytest.importorskip("transformers", reason="needs the extra `oracle` (PyTorch and transformers)")
peft = pytest.importorskip("peft", reason="needs the extra `oracle` (PEFT)")

V, B, T = 53, 3, 9
RNG = np.random.default_rng(0)
IDS = RNG.integers(3, V, (B, T))
MASK = (np.arange(T) < np.array([[T], [5], [7]])).astype(int)
SIZES = dict(vocab_size=V, hidden_size=12, num_attention_heads=3, intermediate_size=20, num_hidden_layers=2)
DECODER = dict(vocab_size=V, n_embd=12, n_head=3, n_layer=2, n_positions=17, bos_token_id=1, eos_token_id=1)
MODELS = {  # class, configuration, task of PEFT
    "bert": ("BertForMaskedLM", minibert.BertConfig(**SIZES, max_position_embeddings=17, initializer_range=0.2), None),
    "roberta": (
        "RobertaForMaskedLM",
        minibert.RobertaConfig(**SIZES, max_position_embeddings=19, type_vocab_size=1, initializer_range=0.2),
        None,
    ),
    "gpt2": ("GPT2LMHeadModel", minibert.GPT2Config(**DECODER, initializer_range=0.2), "CAUSAL_LM"),
}
KINDS = ["lora", "lora everywhere", "prompt"]
WITHOUT = {("bert", "prompt"), ("roberta", "prompt")}  # PEFT has no task for them: see below
CASES = [(name, kind) for name in MODELS for kind in KINDS if (name, kind) not in WITHOUT]


def inputs(name):
    ids = np.where(MASK == 1, IDS, 1) if name == "roberta" else IDS
    labels = np.where(MASK == 1, IDS, -100)
    return {"input_ids": ids, "attention_mask": MASK, "labels": labels}


def config(library, name, kind):
    task = MODELS[name][2]
    if kind == "prompt":
        return library.PromptTuningConfig(num_virtual_tokens=3, task_type=task)
    more = {} if kind == "lora" else {"target_modules": EVERYTHING}
    return library.LoraConfig(r=2, lora_alpha=3, task_type=task, **more)


def both(name, folder):
    """The same base model, ours and theirs, in float64."""
    cls, settings, _ = MODELS[name]
    ours = getattr(minibert, cls)(settings, seed=1, dtype="float64")
    ours.save_pretrained(folder)
    theirs = getattr(transformers, cls).from_pretrained(folder, dtype=torch.float64).eval()
    return ours, theirs


def single(a):
    """The float64 of a float32: PEFT opens an adapter's arrays in single precision."""
    return a.astype(np.float32).astype(np.float64)


class Here:
    LoraConfig, PromptTuningConfig = LoraConfig, PromptTuningConfig


def agree(ours, theirs, name, n):
    """Loss, logits of the text's tokens, and the gradient of everything that trains in PEFT."""
    batch = inputs(name)
    output = theirs(**{k: torch.tensor(v) for k, v in batch.items()})
    expected_loss = output.loss
    if name == "gpt2":  # Hugging Face takes this loss in float32
        labels = torch.tensor(np.pad(batch["labels"], ((0, 0), (n, 0)), constant_values=-100))
        expected_loss = torch.nn.functional.cross_entropy(output.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        assert output.loss.item() == pytest.approx(expected_loss.item(), rel=1e-6)
    expected_loss.backward()
    found = ours(**batch)
    np.testing.assert_allclose(found.logits, output.logits.detach()[:, n:], rtol=1e-10, atol=1e-10)
    loss, grads = ours.loss_and_grads(**batch)
    assert found.loss == pytest.approx(expected_loss.item(), rel=1e-10)
    assert loss == pytest.approx(expected_loss.item(), rel=1e-10)
    grads = ours.to_hf(grads)
    expected = {_saved_name(k): p.grad.numpy() for k, p in theirs.named_parameters() if p.requires_grad}
    assert set(grads) == set(expected)
    largest = max(abs(g).max() for g in expected.values())
    for k, g in expected.items():
        assert abs(grads[k] - g).max() <= 1e-9 * max(abs(g).max(), 1e-6 * largest), k


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_what_is_saved_here_peft_opens(name, kind, tmp_path):
    ours, theirs = both(name, tmp_path / "base")
    ours = get_peft_model(ours, config(Here, name, kind), seed=3)
    rng = np.random.default_rng(2)
    learned = flatten(trainable(ours.params))
    moved = {n: single(0.3 * rng.normal(size=a.shape)) for n, a in learned.items()}  # B is not zero
    put(ours, moved)
    ours.save_pretrained(tmp_path / "adapter")
    theirs = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter", autocast_adapter_dtype=False).double().eval()
    for parameter, value in theirs.named_parameters():  # opened to predict: now to learn
        value.requires_grad_("lora_" in parameter or "prompt_encoder" in parameter)
    agree(ours, theirs, name, 3 if kind == "prompt" else 0)
    if kind != "prompt":
        before = ours(**inputs(name)).logits
        merged = theirs.merge_and_unload().state_dict()
        for key, tensor in ours.merge_and_unload().to_hf().items():
            np.testing.assert_allclose(tensor, merged[key].numpy(), rtol=0, atol=1e-12, err_msg=key)
        np.testing.assert_allclose(ours.base_model(**inputs(name)).logits, before, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_what_peft_saves_opens_here(name, kind, tmp_path):
    ours, theirs = both(name, tmp_path / "base")
    torch.manual_seed(0)
    theirs = peft.get_peft_model(theirs, config(peft, name, kind), autocast_adapter_dtype=False).double().eval()
    with torch.no_grad():
        for p in theirs.parameters():
            if p.requires_grad:
                p.add_(0.3 * torch.randn_like(p))
    theirs.save_pretrained(tmp_path / "adapter")
    ours = PeftModel.from_pretrained(ours, tmp_path / "adapter", is_trainable=True)
    agree(ours, theirs, name, 3 if kind == "prompt" else 0)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_configuration_says_what_peft_would_say(name, kind, tmp_path):
    """Every field that both write has the same value, apart from the version and where the base model is."""
    ours, theirs = both(name, tmp_path / "base")
    get_peft_model(ours, config(Here, name, kind)).save_pretrained(tmp_path / "ours")
    peft.get_peft_model(theirs, config(peft, name, kind)).save_pretrained(tmp_path / "theirs")
    found, expected = (json.loads((tmp_path / side / "adapter_config.json").read_text()) for side in ("ours", "theirs"))
    for key in found.keys() - {"base_model_name_or_path", "task_type"}:
        value = sorted(expected[key]) if isinstance(expected[key], list) else expected[key]
        assert (sorted(found[key]) if isinstance(found[key], list) else found[key]) == value, key
    assert found.keys() <= expected.keys()


@pytest.mark.parametrize("name", ["Bert", "Roberta"])
def test_prompts_of_encoders(name, tmp_path):
    """PEFT's task FEATURE_EXTRACTION: the hidden states of all tokens, virtual ones left out, padding apart."""
    ours = getattr(minibert, f"{name}Model")(MODELS[name.lower()][1], seed=1, dtype="float64")
    ours.save_pretrained(tmp_path / "base")
    theirs = getattr(transformers, f"{name}Model").from_pretrained(tmp_path / "base", dtype=torch.float64).eval()
    ours = get_peft_model(ours, PromptTuningConfig(num_virtual_tokens=3, task_type="FEATURE_EXTRACTION"))
    put(ours, {PROMPT: single(tree_get(ours.params, PROMPT))})
    ours.save_pretrained(tmp_path / "adapter")
    theirs = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter", autocast_adapter_dtype=False).double().eval()
    batch = inputs(name.lower())
    del batch["labels"]
    with torch.no_grad():
        expected = theirs(**{k: torch.tensor(v) for k, v in batch.items()})
    output, tokens = ours(**batch), MASK == 1
    found = output.last_hidden_state
    np.testing.assert_allclose(found[tokens], expected.last_hidden_state[:, 3:][tokens], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(output.pooler_output, expected.pooler_output, rtol=1e-10, atol=1e-10)


def test_a_prompt_that_began_as_a_text(tmp_path):
    """From a tokenizer that has no name: PEFT would refuse a text without the name of its tokenizer."""
    ours, theirs = both("gpt2", tmp_path / "base")
    began = {"prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "a b c"}
    described = PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM", **began)
    ours = get_peft_model(ours, described, tokenizer=lambda text: {"input_ids": [4, 7, 9]})
    put(ours, {PROMPT: single(tree_get(ours.params, PROMPT))})
    ours.save_pretrained(tmp_path / "adapter")
    theirs = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter", autocast_adapter_dtype=False).double().eval()
    with torch.no_grad():
        expected = theirs(**{k: torch.tensor(v) for k, v in inputs("gpt2").items()}).logits[:, 3:]
    np.testing.assert_allclose(ours(**inputs("gpt2")).logits, expected, rtol=1e-10, atol=1e-10)
    again = PeftModel.from_pretrained(both("gpt2", tmp_path / "base")[0], tmp_path / "adapter")
    np.testing.assert_array_equal(again(**inputs("gpt2")).logits, ours(**inputs("gpt2")).logits)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["Bert", "Roberta", "GPT2"])
def test_classifiers(name, kind, tmp_path):
    """PEFT's task SEQ_CLS: the head trains and is saved too."""
    cls = getattr(minibert, f"{name}ForSequenceClassification")
    settings = DECODER if name == "GPT2" else {**SIZES, "max_position_embeddings": 19}
    settled = cls.config_class(**settings, initializer_range=0.2, pad_token_id=1, num_labels=3)
    ours = cls(settled, seed=1, dtype="float64")
    ours.save_pretrained(tmp_path / "base")
    theirs = getattr(transformers, cls.__name__).from_pretrained(tmp_path / "base", dtype=torch.float64).eval()
    there = config(peft, name.lower(), kind)
    there.task_type = "SEQ_CLS"
    torch.manual_seed(0)
    theirs = peft.get_peft_model(theirs, there, autocast_adapter_dtype=False).double().eval()
    theirs.save_pretrained(tmp_path / "adapter")
    ours = PeftModel.from_pretrained(ours, tmp_path / "adapter", is_trainable=True)
    mask = np.ones_like(MASK) if name == "GPT2" else MASK  # PEFT's prompts hide from GPT-2 where texts end
    batch = {"input_ids": np.where(mask == 1, IDS, 1), "attention_mask": mask, "labels": np.array([0, 2, 1])}
    output = theirs(**{k: torch.tensor(v) for k, v in batch.items()})
    output.loss.backward()
    np.testing.assert_allclose(ours(**batch).logits, output.logits.detach(), rtol=1e-10, atol=1e-10)
    loss, grads = ours.loss_and_grads(**batch)
    assert loss == pytest.approx(output.loss.item(), rel=1e-10)
    grads = ours.to_hf(grads)
    expected = {_saved_name(k): p.grad.numpy() for k, p in theirs.named_parameters() if p.requires_grad}
    assert set(grads) == set(expected)
    for k, g in expected.items():
        assert abs(grads[k] - g).max() <= 1e-9 * max(1e-3, abs(g).max()), k


HEADS = {"SequenceClassification": "SEQ_CLS", "TokenClassification": "TOKEN_CLS", "QuestionAnswering": "QUESTION_ANS"}
WITH_HEADS = [(f"{name}For{head}", task) for name in ("Bert", "Roberta") for head, task in HEADS.items()]


@pytest.mark.parametrize("saved", ["here", "there"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "task"), [*WITH_HEADS, ("GPT2ForSequenceClassification", "SEQ_CLS")])
def test_adapters_with_heads_both_ways(name, task, kind, saved, tmp_path):
    """The head is in the file too; each side opens what the other wrote, and the scores of the text's tokens agree."""
    cls = getattr(minibert, name)
    settings = DECODER if name.startswith("GPT2") else {**SIZES, "max_position_embeddings": 19}
    ours = cls(cls.config_class(**settings, initializer_range=0.2, pad_token_id=1), seed=1, dtype="float64")
    ours.save_pretrained(tmp_path / "base")
    theirs = getattr(transformers, name).from_pretrained(tmp_path / "base", dtype=torch.float64)
    described = config(Here if saved == "here" else peft, name.split("For")[0].lower(), kind)
    described.task_type = task
    rng = np.random.default_rng(2)
    if saved == "here":
        adapter = get_peft_model(ours, described)
        learned = flatten(trainable(ours.params))
        put(ours, {n: single(0.3 * rng.normal(size=a.shape)) for n, a in learned.items()})
        adapter.save_pretrained(tmp_path / "adapter")
    else:
        tuned = peft.get_peft_model(theirs, described, autocast_adapter_dtype=False)
        for p in tuned.parameters():
            if p.requires_grad:
                p.data = torch.tensor(single(0.3 * rng.normal(size=p.shape)))
        tuned.save_pretrained(tmp_path / "adapter")
        adapter = PeftModel.from_pretrained(ours, tmp_path / "adapter")
        theirs = getattr(transformers, name).from_pretrained(tmp_path / "base", dtype=torch.float64)
    theirs = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter", autocast_adapter_dtype=False).double().eval()
    mask = np.ones_like(MASK) if name.startswith("GPT2") else MASK  # PEFT's prompts hide from GPT-2 where texts end
    batch = {"input_ids": np.where(mask == 1, IDS, 1), "attention_mask": mask}
    found = adapter(**batch)
    with torch.no_grad():
        expected = theirs(**{k: torch.tensor(v) for k, v in batch.items()})
    names = ["start_logits", "end_logits"] if task == "QUESTION_ANS" else ["logits"]
    for logits in names:
        a, b = found[logits], expected[logits].numpy()
        if task != "SEQ_CLS":
            a, b = a[mask == 1], b[:, -T:][mask == 1]
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def _saved_name(name):
    """The name in the file of a parameter of PEFT's module."""
    name = name.replace(".modules_to_save.default", "").replace(".default", "")
    return "prompt_embeddings" if name.startswith("prompt_encoder") else name
