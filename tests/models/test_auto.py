"""The Auto classes choose by `model_type`, and say what they support where they cannot."""

import json

import pytest

import minibert
from minibert.errors import CheckpointError, ConfigError

ENCODER = dict(vocab_size=23, hidden_size=12, num_hidden_layers=1, num_attention_heads=3, intermediate_size=8)
DECODER = dict(vocab_size=23, n_embd=12, n_layer=1, n_head=3, n_positions=9)
CONFIGS = {
    "bert": minibert.BertConfig(**ENCODER, max_position_embeddings=9),
    "roberta": minibert.RobertaConfig(**ENCODER, max_position_embeddings=11),
    "gpt2": minibert.GPT2Config(**DECODER),
    "openai-gpt": minibert.OpenAIGPTConfig(**DECODER),
}
CHOICES = [  # Auto class, {model_type: class}
    ("AutoModel", dict(zip(CONFIGS, ["BertModel", "RobertaModel", "GPT2Model", "OpenAIGPTModel"], strict=True))),
    ("AutoModelForMaskedLM", {"bert": "BertForMaskedLM", "roberta": "RobertaForMaskedLM"}),
    ("AutoModelForCausalLM", {"gpt2": "GPT2LMHeadModel", "openai-gpt": "OpenAIGPTLMHeadModel"}),
    (
        "AutoModelForPreTraining",
        dict(
            zip(
                CONFIGS,
                ["BertForPreTraining", "RobertaForMaskedLM", "GPT2LMHeadModel", "OpenAIGPTLMHeadModel"],
                strict=True,
            )
        ),
    ),
    *(
        (f"AutoModelFor{task}", {"bert": f"BertFor{task}", "roberta": f"RobertaFor{task}"})
        for task in ("TokenClassification", "QuestionAnswering", "MultipleChoice")
    ),
    (
        "AutoModelForSequenceClassification",
        {name.lower(): f"{name}ForSequenceClassification" for name in ("Bert", "Roberta", "GPT2")},
    ),
]


@pytest.mark.parametrize("model_type", CONFIGS)
@pytest.mark.parametrize(("auto", "classes"), CHOICES, ids=[auto for auto, _ in CHOICES])
def test_the_class_follows_from_the_model_type(auto, classes, model_type, tmp_path):
    config, auto = CONFIGS[model_type], getattr(minibert, auto)
    if model_type not in classes:
        config.save_pretrained(tmp_path)
        message = rf"has no class for the model_type '{model_type}'; supported are {', '.join(classes)}$"
        with pytest.raises(CheckpointError, match=message):
            auto.from_pretrained(tmp_path)
        with pytest.raises(ConfigError, match=message):
            auto.from_config(config)
        return
    made = auto.from_config(config, seed=3, dtype="float64")
    assert type(made) is getattr(minibert, classes[model_type])
    made.save_pretrained(tmp_path)
    opened, info = auto.from_pretrained(tmp_path, dtype="float64", output_loading_info=True)
    assert type(opened) is type(made)
    assert info == {"missing_keys": [], "unexpected_keys": []}
    assert (opened.params["embeddings"]["token"] == made.params["embeddings"]["token"]).all()


@pytest.mark.parametrize("model_type", CONFIGS)
def test_a_configuration_follows_from_the_model_type(model_type, tmp_path):
    CONFIGS[model_type].save_pretrained(tmp_path)
    opened = minibert.AutoConfig.from_pretrained(tmp_path)
    assert type(opened) is type(CONFIGS[model_type])
    assert opened == CONFIGS[model_type]
    assert minibert.AutoConfig.for_model(model_type, vocab_size=7).vocab_size == 7


@pytest.mark.parametrize("model_type", ["t5", "", None, 3, ["bert"], "x" * 10_000])
def test_other_kinds_are_refused_with_those_that_are_supported(model_type, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    supported = "supported are bert, roberta, gpt2, openai-gpt$"
    for auto in (minibert.AutoConfig, minibert.AutoModel, minibert.AutoModelForCausalLM):
        with pytest.raises(CheckpointError, match=supported) as refused:
            auto.from_pretrained(tmp_path)
        assert len(str(refused.value)) < 400
    with pytest.raises(ConfigError, match=supported):
        minibert.AutoConfig.for_model(model_type)


def test_from_config_takes_a_configuration():
    with pytest.raises(ConfigError, match="takes a configuration"):
        minibert.AutoModel.from_config({"model_type": "bert"})
