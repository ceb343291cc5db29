"""Both sides of every comparison do the same work: the same results and the same gradients.

float32; each array is compared relative to its largest element.
"""

import numpy as np
import pytest

from minibert import AdamW, BertForPreTraining, GPT2LMHeadModel, backend, kernels
from minibert.bench.cases import OPS, all_cases
from minibert.bench.optimizer_case import MAX_GRAD_NORM, SETTINGS
from minibert.bench.sizes import Sizes
from minibert.bench.steps import minibert_step, random_batch
from minibert.tree import tree_items

TOLERANCE = 2e-5
SMALL = Sizes("bert-tiny", batch_size=2, seq_len=8, vocab_size=50, dropout=0.0)
CASES = all_cases(SMALL)
CAUSAL = Sizes("gpt2-nano", batch_size=2, seq_len=8, vocab_size=50, dropout=0.0)
MODELS = {"bert": (BertForPreTraining, SMALL), "gpt2": (GPT2LMHeadModel, CAUSAL)}
ORACLE = pytest.param("torch", marks=pytest.mark.oracle)


def results(case, side):
    if side == "torch":
        pytest.importorskip("torch", reason="needs the extra `oracle`")
    return run(case.make(side))


def run(made):
    with backend("numpy"):  # put back what prepare() chooses
        made.prepare()
        return [r.detach().numpy() if hasattr(r, "detach") else np.asarray(r) for r in made.run()]


def assert_close(found, expected, name=""):
    assert found.shape == expected.shape, name
    assert found.dtype == expected.dtype == np.float32, name
    assert abs(found - expected).max() <= TOLERANCE * max(abs(expected).max(), 1e-3), name


def test_every_op_has_a_case():
    """Every kernel too: `matmul` has no op, `adamw` takes the sum of squares too, the last is one subtraction."""
    assert {case.op for case in CASES} == set(OPS)
    forward = {name for name in kernels.__all__ if not name.endswith("_backward")}
    assert set(OPS) - {"matmul"} == forward - {"square_sum", "soft_threshold"}
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("side", ["kernels", ORACLE])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_sides_of_an_op_agree(case, side):
    expected = results(case, "numpy")
    found = results(case, side)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs)


def test_causal_attention_has_the_full_one_beside_it():
    """The kernels on the same operands, every key seen: the last query's output is the same, the others' are not."""
    causal = [case for case in CASES if case.full]
    assert [case.name for case in causal] == ["attention (2,4,8,64) causal", "attention (1,12,32,64) causal"]
    for case in causal:
        (part, *_), (whole, *_) = run(case.make("kernels")), run(case.full())
        assert_close(whole[:, :, -1], part[:, :, -1])
        assert abs(whole[:, :, 0] - part[:, :, 0]).max() > 0.1


@pytest.mark.parametrize("side", ["kernels", "numpy", ORACLE])
def test_dropout_acts_on_every_side(side):
    """About a tenth of what enters the sum is dropped; which elements, each library draws for itself."""
    with_dropout = Sizes("bert-tiny", batch_size=2, seq_len=8, vocab_size=50, dropout=0.1)
    for case in all_cases(with_dropout, ["add_norm", "attention", "dropout"]):
        if "dropout" in case.name:
            _, dx, *_ = results(case, side)
            assert np.isfinite(dx).all()
            if case.op != "attention":
                assert 0.05 < (dx == 0).mean() < 0.15


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="needs the extra `oracle`")


@pytest.mark.oracle
class TestSteps:
    """The same weights, the same batch: the same loss and gradients, and the same losses as training goes on."""

    def losses(self, step, n=3):
        with backend("numpy"):
            step.prepare()
            return [step.run() for _ in range(n)]

    def ours(self, kind, name):
        make, sizes = MODELS[kind]
        return self.losses(minibert_step(make(sizes.config(), seed=1), random_batch(sizes), name), 4)

    @pytest.mark.parametrize("attend", ["fused_attention", "written_out_attention"])
    @pytest.mark.parametrize("kind", MODELS)
    def test_our_model_in_pytorch(self, torch, kind, attend):
        from minibert.bench import torch_bert, torch_gpt2

        make, sizes = MODELS[kind]
        config, batch = sizes.config(), random_batch(sizes)
        model = make(config, seed=1)
        module, theirs = (torch_bert, torch_bert.Bert) if kind == "bert" else (torch_gpt2, torch_gpt2.GPT2)
        theirs = theirs(config, lambda *qkv: getattr(module, attend)(0.0, *qkv))
        torch_bert.load(theirs, model.params)
        assert sum(p.numel() for p in theirs.parameters()) == model.num_parameters()

        tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
        expected, grads = model.loss_and_grads(**batch)
        value = theirs(**tensors)
        assert value.item() == pytest.approx(expected, rel=1e-6)
        value.backward()
        found = {name: parameter.grad.numpy() for name, parameter in theirs.named_parameters()}
        largest = max(abs(g).max() for g in found.values())
        for name, gradient in tree_items(grads):
            other = found.pop(torch_bert.torch_name(name))
            other = other.T if name.endswith(".weight") else other
            assert abs(other - gradient).max() <= TOLERANCE * max(abs(gradient).max(), 1e-3 * largest), name
        assert not found
        theirs.zero_grad(set_to_none=True)
        losses = self.losses(torch_bert.training_step(theirs, lambda m: m(**tensors), threads=1), 4)
        assert losses == pytest.approx(self.ours(kind, "numba"), rel=1e-5)
        assert losses[-1] < losses[0]

    @pytest.mark.parametrize("kind", MODELS)
    def test_the_stock_model(self, torch, tmp_path, kind):
        transformers = pytest.importorskip("transformers", reason="needs the extra `oracle`")
        from minibert.bench import torch_bert

        make, sizes = MODELS[kind]
        model = make(sizes.config(), seed=1)
        model.save_pretrained(tmp_path)
        theirs = getattr(transformers, make.__name__).from_pretrained(tmp_path).train()
        assert sum(p.numel() for p in theirs.parameters()) == model.num_parameters()
        tensors = {name: torch.from_numpy(array) for name, array in random_batch(sizes).items()}
        losses = self.losses(torch_bert.training_step(theirs, lambda m: m(**tensors).loss, threads=1), 4)
        assert losses == pytest.approx(self.ours(kind, "numba"), rel=1e-5)

    @pytest.mark.parametrize("name", ["bert-tiny", "gpt2-nano"])
    def test_every_variant_takes_the_step(self, torch, name):
        from minibert.bench.steps import fastest, step_variants

        dropping = Sizes(name, batch_size=2, seq_len=8, vocab_size=50, dropout=0.1)
        variants = step_variants("torch", dropping, [1, 2])
        assert list(variants) == [
            "sdpa, 1 thread",
            "sdpa, 2 threads",
            "written out, 1 thread",
            "written out, 2 threads",
        ]
        name, side = fastest(variants, tries=1)
        assert side is variants[name]
        assert "1 thread" in step_variants("huggingface", dropping, [1])


@pytest.mark.parametrize("kind", MODELS)
def test_our_backends_take_the_same_steps(kind):
    make, sizes = MODELS[kind]
    batch = random_batch(sizes)
    losses = []
    for name in ("numpy", "numba"):
        step = minibert_step(make(sizes.config(), seed=1), batch, name)
        with backend("numpy"):
            step.prepare()
            losses.append([step.run() for _ in range(3)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    optimizer = AdamW(BertForPreTraining(SMALL.config()).params, **SETTINGS)
    assert optimizer.lr == SETTINGS["lr"]
    assert MAX_GRAD_NORM == 1.0
