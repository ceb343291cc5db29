"""From text to token ids: sources and named corpora, sentences, tokenizers, memory-mapped tokens.

Nothing here knows a model. `tokenizers` is imported only when a tokenizer is trained, opened or applied.
"""
