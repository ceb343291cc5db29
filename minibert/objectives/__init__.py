"""How token ids become inputs and targets: masked tokens, next sentences. Nothing here knows a model."""
