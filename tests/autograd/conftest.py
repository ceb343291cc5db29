"""Tests of this folder compare with PyTorch: they need the extra `oracle`, and skip without it."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `oracle` (PyTorch and transformers)")
pytest.importorskip("transformers", reason="needs the extra `oracle` (PyTorch and transformers)")


def pytest_collection_modifyitems(items):
    for item in items:
        if "autograd" in item.path.parts:
            item.add_marker(pytest.mark.oracle)
