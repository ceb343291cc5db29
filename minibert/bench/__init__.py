"""How fast the kernels are, measured beside NumPy, PyTorch and Hugging Face: see `minibert bench`.

    timing      the clock: sides of a comparison take turns
    cases       the comparisons of single ops; `torch_ops` is their other side
    steps       whole training steps; `torch_bert` and `torch_gpt2` are their other side
    decoding    writing token by token; `torch_decoding` is its other side
    overhead    the part of a step that is not spent in kernels
    flops       what a step must compute, counted by hand
    memory      peak memory, each side in a process of its own; `cold` the first step of a machine's life
    rows        what was measured, and what it should have been; `table` shows it
    run         all of it, in order

Only the modules named `torch_...` import PyTorch; they are imported where it is installed.
"""
