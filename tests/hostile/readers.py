"""The readers by name."""

from hostile.corpora import corpus_reader
from hostile.models import adapter_reader, config_reader
from hostile.runs import run_reader
from hostile.tables import table_reader
from hostile.tokenizers import tokenizer_reader
from hostile.weights import index_reader, safetensors_reader

READERS = {
    "tokenizer": tokenizer_reader,
    "corpus": corpus_reader,
    "table": table_reader,
    "run": run_reader,
    "safetensors": safetensors_reader,
    "index": index_reader,
    "config": config_reader,
    "adapter": adapter_reader,
}
