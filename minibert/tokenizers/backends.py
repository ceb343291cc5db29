"""The library's tokenizers around a vocabulary: normalisation, splitting, model, template and decoder of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # <pad> is 1, the padding position of RoBERTa's positions
GPT2_TOKENS = ("<|endoftext|>",)
CHAR_TOKENS = ("<unk>",)


def wordpiece(
    vocab: dict[str, int],
    lowercase: bool,
    strip_accents: bool | None = None,
    handle_chinese_chars: bool = True,
) -> Tokenizer:
    """BERT's: words and punctuation apart, then the longest pieces (Devlin et al. 2018; Wu et al. 2016)."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=handle_chinese_chars, strip_accents=strip_accents, lowercase=lowercase
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    if set(BERT_TOKENS) <= vocab.keys():  # in any other vocabulary this would number them anew
        tokenizer.add_special_tokens(list(BERT_TOKENS))
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(token, vocab[token]) for token in ("[CLS]", "[SEP]")],
        )
    return tokenizer


def byte_bpe(vocab: dict[str, int], merges: list[tuple[str, str]], add_prefix_space: bool = False) -> Tokenizer:
    """GPT-2's byte pair encoding of UTF-8 bytes (Radford et al. 2019), with RoBERTa's frame if it has its tokens.

    No text is unknown, and decoding gives it back as it was. GPT-2 adds no special tokens; RoBERTa's (Liu et al.
    2019) are `<s> A </s>` and `<s> A </s></s> B </s>`, and its `<mask>` takes the space before it with it.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.BPE(vocab, merges, continuing_subword_prefix="", end_of_word_suffix=""))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    if set(ROBERTA_TOKENS) <= vocab.keys():
        tokenizer.add_special_tokens([AddedToken(t, lstrip=t == "<mask>", normalized=False) for t in ROBERTA_TOKENS])
        tokenizer.post_processor = processors.RobertaProcessing(
            ("</s>", vocab["</s>"]), ("<s>", vocab["<s>"]), trim_offsets=True, add_prefix_space=add_prefix_space
        )
    else:
        tokenizer.add_special_tokens([token for token in GPT2_TOKENS if token in vocab])
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def characters(vocab: dict[str, int]) -> Tokenizer:
    """One token a character, of those in `vocab`; any other is `<unk>`. It is byte pair encoding without merges.

    With RoBERTa's special tokens in the vocabulary, the text is framed as there.
    """
    from tokenizers import Tokenizer, decoders, models, processors

    tokenizer = Tokenizer(models.BPE(vocab, [], unk_token="<unk>"))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([token for token in ROBERTA_TOKENS if token in vocab])
    if set(ROBERTA_TOKENS) <= vocab.keys():
        tokenizer.post_processor = processors.RobertaProcessing(
            ("</s>", vocab["</s>"]), ("<s>", vocab["<s>"]), trim_offsets=False, add_prefix_space=False
        )
    return tokenizer


def backend_of(tokenizer: Any) -> Tokenizer:
    """Return the library's tokenizer inside one of ours, or the one that was given."""
    return getattr(tokenizer, "backend_tokenizer", tokenizer)


def is_wordpiece(tokenizer: Tokenizer) -> bool:
    """Whether the model is WordPiece."""
    return type(tokenizer.model).__name__ == "WordPiece"


def is_byte_bpe(tokenizer: Tokenizer) -> bool:
    """Whether it is byte pair encoding over bytes."""
    return type(tokenizer.model).__name__ == "BPE" and "ByteLevel" in repr(tokenizer.decoder)


def is_characters(tokenizer: Tokenizer) -> bool:
    """Whether it was made by `characters`."""
    bare = tokenizer.normalizer is None and tokenizer.pre_tokenizer is None
    return type(tokenizer.model).__name__ == "BPE" and bare and "Fuse" in repr(tokenizer.decoder)
