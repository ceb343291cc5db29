"""Small tokenizers of every kind, learned once."""

from itertools import islice

import pytest

from minibert.data.corpora import corpus_documents
from minibert.data.tokenizer import train_tokenizer

KINDS = {
    "bert-uncased": ("wordpiece", 500, {"lowercase": True}),
    "bert-cased": ("wordpiece", 500, {"lowercase": False}),
    "gpt2": ("bpe", 500, {"masked": False}),
    "roberta": ("bpe", 500, {"masked": True}),
    "char": ("char", 120, {"masked": False}),
    "char-masked": ("char", 120, {"masked": True}),
}


@pytest.fixture(scope="session")
def documents():
    return list(islice(corpus_documents("python-docs"), 20))


@pytest.fixture(scope="session")
def trained(documents):
    made = {}

    def by_name(name):
        if name not in made:
            kind, size, options = KINDS[name]
            made[name] = train_tokenizer(kind, documents, size, **options)
        return made[name]

    return by_name


@pytest.fixture(params=KINDS)
def name(request):
    return request.param


@pytest.fixture
def tokenizer(name, trained):
    return trained(name)


@pytest.fixture
def bert(trained):
    return trained("bert-uncased")


@pytest.fixture
def gpt2(trained):
    return trained("gpt2")
