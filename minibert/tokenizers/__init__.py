"""Tokenizers with the face that users of Hugging Face know, over the library `tokenizers`.

The library is imported only when a tokenizer is made, opened or applied.
"""

from minibert.tokenizers.auto import AutoTokenizer
from minibert.tokenizers.base import PretrainedTokenizer
from minibert.tokenizers.batch_encoding import BatchEncoding
from minibert.tokenizers.bert import BertTokenizer
from minibert.tokenizers.char import CharTokenizer
from minibert.tokenizers.gpt2 import GPT2Tokenizer
from minibert.tokenizers.roberta import RobertaTokenizer

__all__ = [
    "AutoTokenizer",
    "BatchEncoding",
    "BertTokenizer",
    "CharTokenizer",
    "GPT2Tokenizer",
    "PretrainedTokenizer",
    "RobertaTokenizer",
]
