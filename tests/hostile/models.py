"""`config.json` beside weights, and adapters."""

import json

import numpy as np
from hostile.reader import NOT_THERE, Reader, bytes_in, entry_in, file_cases, json_cases, swaps
from hostile.weights import HEADERS

import minibert
from minibert.finetuning.opening import kind_of_head
from minibert.finetuning.task_settings import TaskSettings, read_settings
from minibert.tree import flatten

CONFIG = "config.json"
CONFIGS = {
    "bert": minibert.BertConfig(11, 6, 1, 3, 8, max_position_embeddings=9),
    "roberta": minibert.RobertaConfig(11, 6, 1, 3, 8, max_position_embeddings=9),
    "gpt2": minibert.GPT2Config(11, n_positions=9, n_embd=6, n_layer=1, n_head=3),
    "openai-gpt": minibert.OpenAIGPTConfig(11, n_positions=9, n_embd=6, n_layer=1, n_head=3),
}
HUGE = {"hidden_size", "vocab_size", "n_embd", "max_position_embeddings", "n_positions", "intermediate_size"}


def make_models(folder):
    for name, config in CONFIGS.items():
        minibert.AutoModel.from_config(config).save_pretrained(folder / name)


def open_model(folder, name):
    """Every parameter is a finite array of the shape that the configuration says."""
    folder = folder / name.split("/")[0]
    kind_of_head(folder)
    model = minibert.AutoModel.from_pretrained(folder)
    assert all(np.isfinite(array).all() for array in flatten(model.params).values())
    model.config.to_dict()
    output = model(input_ids=np.array([[1, 2, 3]]))
    assert output.last_hidden_state.shape == (1, 3, 6)


def config_reader(folder):
    make_models(folder)
    cases, swapped = {}, {}
    for kind in CONFIGS:
        name = f"{kind}/{CONFIG}"
        good = json.loads((folder / name).read_text())
        cases |= dict(json_cases(name))
        swapped |= dict(swaps(folder, name))
        for key in good.keys() & HUGE:
            cases[f"{name}: {key} of 6 million"] = entry_in(name, key, 6 * 10**6)
            cases[f"{name}: no {key}"] = bytes_in(name, json.dumps({k: good[k] for k in good.keys() - {key}}).encode())
    files = [f"{kind}/{name}" for kind in CONFIGS for name in (CONFIG, "model.safetensors")]
    return Reader(make_models, open_model, files, cases, {}, swapped)


# Adapters ----------------------------------------------------------------------------------------------

ADAPTER, WEIGHTS, TASK = "adapter_config.json", "adapter_model.safetensors", "task.json"
BERT = minibert.BertConfig(11, 6, 1, 3, 8, max_position_embeddings=9)
KINDS = {
    "lora": minibert.LoraConfig(r=2, task_type="SEQ_CLS"),
    "pattern": minibert.LoraConfig(r=2, target_modules=r".*(query|value)"),
    "prompt": minibert.PromptTuningConfig(num_virtual_tokens=2),
}


NO_TASK = "an adapter may be without task.json: its labels are then unknown"


def base():
    return minibert.BertForSequenceClassification(BERT)


def make_adapters(folder):
    for kind, config in KINDS.items():
        minibert.get_peft_model(base(), config).save_pretrained(folder / kind)
        columns = {"text": "text", "pair": "", "label": "label"}
        TaskSettings(task="classification", columns=columns, labels=["a", "b"], max_length=8).save(folder / kind)


def open_adapter(folder, name):
    """The adapter is in its place, and the model can compute with it."""
    folder = folder / name.split("/")[0]
    settings = read_settings(folder)
    if settings is not None:
        settings.make_task()
        assert settings.max_length > 0
        assert all(isinstance(label, str) for label in settings.labels)
    model = minibert.PeftModel.from_pretrained(base(), folder)
    assert model(input_ids=np.array([[1, 2, 3]])).logits.shape == (1, 2)
    model.to_hf()


PATTERNS = ["(a+)+$", "(.*)*x", "(.*.*.*.*.*.*.*.*)z", "(a|a)*b", "(" * 1000, "(?:a{1,9999}){1,9999}", "a{99999999999}",
            "[", "(?P<a>", "\\", "*", "(?#", "(?=" * 200, ".*" * 4000 + "x", "x" * 100_000]  # fmt: skip


def adapter_reader(folder):
    make_adapters(folder)
    cases, swapped, accepted = {}, {}, {}
    for kind in KINDS:
        name, weights, task = (f"{kind}/{file}" for file in (ADAPTER, WEIGHTS, TASK))
        good = json.loads((folder / name).read_text())
        cases |= dict(json_cases(name, task)) | dict(file_cases(weights))
        swapped |= dict(swaps(folder, name, "use_dora", "rank_pattern", "layers_to_transform"))
        swapped |= dict(swaps(folder, task))
        accepted |= {f"{task}: {what}": NO_TASK for what in NOT_THERE}
        for pattern in PATTERNS:
            swapped[f"{kind}: target_modules = {pattern!r:.30}"] = entry_in(name, "target_modules", pattern)
        for r in (3, 1000, 10**6, 10**9, 2**62):
            values = {**good, "r": r, "num_virtual_tokens": r}
            cases[f"{kind}: room for {r}"] = bytes_in(name, json.dumps(values).encode())
        cases |= {f"{kind}: weights: {what}": bytes_in(weights, data) for what, data in HEADERS.items()}
        whole = (folder / weights).read_bytes()
        cases |= {f"{kind}: cut at {n}": bytes_in(weights, whole[:n]) for n in range(0, len(whole), 20)}
    files = [f"{kind}/{name}" for kind in KINDS for name in (ADAPTER, WEIGHTS, TASK)]
    return Reader(make_adapters, open_adapter, files, cases, accepted, swapped)
