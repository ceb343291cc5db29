"""A small pre-trained checkpoint, and tables that it can learn from in seconds."""

import json

import minibert
from minibert.data.tokenizer_training import train_tokenizer

GOOD = ("a wonderful film", "i loved it", "great and moving")
BAD = ("a terrible film", "i hated it", "dull and slow")
ENDS = ("", " from the first minute", " , and so did my friends", " . the music too", " at home", " all night")
MORE_ENDS = (
    " at night",
    " all the music",
    " and the friends",
    " , too",
    " . at home",
    " , from my home",
    " first",
    " too",
)
ROWS = [  # texts and labels
    (begin + end, label) for end in ENDS for label, begins in ((1, GOOD), (0, BAD)) for begin in begins
]
MORE_ROWS = ROWS + [
    (begin + end, label) for end in MORE_ENDS for label, begins in ((1, GOOD), (0, BAD)) for begin in begins
]
SENTENCES = [  # words and tags
    (["anna", "lives", "in", "paris", "."], ["B-PER", "O", "O", "B-LOC", "O"]),
    (["ben", "smith", "went", "to", "rome", "."], ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]),
    (["rome", "is", "far", "."], ["B-LOC", "O", "O", "O"]),
    (["paris", "and", "rome", "."], ["B-LOC", "O", "B-LOC", "O"]),
    (["anna", "met", "ben", "smith", "."], ["B-PER", "O", "B-PER", "I-PER", "O"]),
    (["nobody", "knows", "."], ["O", "O", "O"]),
]
CONTEXTS = [
    (f"{who} lives in {where} .", "who lives there ?", who) for who in ("anna", "ben") for where in ("paris", "rome")
]
WORDS = " ".join(
    [text for text, _ in ROWS] + [w for words, _ in SENTENCES for w in words] + [c + q for c, q, _ in CONTEXTS]
)


def checkpoint(path, kind="bert", positions=40, seed=1):
    """A folder as `minibert pretrain` leaves it: all heads of pre-training, and a tokenizer."""
    if kind == "bert":
        tokenizer = train_tokenizer("wordpiece", [WORDS] * 2, 160)
        config = minibert.BertConfig(
            len(tokenizer), 24, 2, 2, 48, max_position_embeddings=positions, initializer_range=0.1, pad_token_id=0,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        )  # fmt: skip
        minibert.BertForPreTraining(config, seed).save_pretrained(path)
    else:
        tokenizer = train_tokenizer("bpe", [WORDS] * 2, 300)
        config = minibert.GPT2Config(
            len(tokenizer), positions, 24, 2, 2, initializer_range=0.1, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0
        )
        minibert.GPT2LMHeadModel(config, seed).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def write_csv(path, rows=ROWS, header="text,label"):
    path.write_text("\n".join([header, *(f'"{text}",{label}' for text, label in rows)]) + "\n", encoding="utf-8")
    return path


def write_conll(path, sentences=SENTENCES):
    blocks = ["\n".join(f"{w} {t}" for w, t in zip(words, tags, strict=True)) for words, tags in sentences]
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return path


def write_squad(path, contexts=CONTEXTS):
    paragraphs = [
        {"context": c, "qas": [{"id": str(i), "question": q, "answers": [{"text": a, "answer_start": c.index(a)}]}]}
        for i, (c, q, a) in enumerate(contexts)
    ]
    path.write_text(json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}), encoding="utf-8")
    return path
