"""RoBERTa's tokenizer: GPT-2's byte pairs, `<s> A </s>` and `<s> A </s></s> B </s>` (Liu et al. 2019)."""

from typing import ClassVar

from minibert.tokenizers.gpt2 import GPT2Tokenizer


class RobertaTokenizer(GPT2Tokenizer):
    """Byte-level BPE with the special tokens of masked language models; see `PretrainedTokenizer` for its methods."""

    tokenizer_class = "RobertaTokenizer"
    default_tokens: ClassVar = {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "cls_token": "<s>",
        "mask_token": "<mask>",
    }
