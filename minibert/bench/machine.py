"""The machine: what it is, and the fastest matrix product it is seen to make."""

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from minibert.bench.steps import available_cores

LIBRARIES = ("numpy", "numba", "llvmlite", "torch", "transformers")
CEILING_PRODUCTS = [(1024, 1024, 1024), (2048, 2048, 2048), (4096, 1024, 1024)]


def describe() -> dict[str, Any]:
    """Return the processor, its cores, and the versions of what is measured."""
    import minibert

    return {
        "cpu": cpu_name(),
        "cores": available_cores(),
        "cores_of_the_machine": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "minibert": minibert.__version__,
        **{name: library_version(name) for name in LIBRARIES},
        "numpy_blas": blas(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def cpu_name() -> str:
    """Return the processor's name as it gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def library_version(name: str) -> str | None:
    """Return the installed version, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def blas() -> str:
    """Return the name and version of the library that multiplies NumPy's matrices."""
    found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{found.get('name')} {found.get('version')}"


def ceiling(products: list[tuple[int, int, int]] | None = None, tries: int = 8) -> float:
    """Return the FLOP/s of the fastest float32 product of large matrices (M, K, N), NumPy's or ours, of some tries."""
    from minibert.kernels.matmul import matmul

    best = 0.0
    for M, K, N in products or CEILING_PRODUCTS:
        a, b = np.ones((M, K), np.float32), np.ones((K, N), np.float32)
        for multiply in (np.matmul, matmul):
            out = multiply(a, b)
            for _ in range(tries):
                start = time.perf_counter()
                multiply(a, b, out)
                best = max(best, 2 * M * K * N / (time.perf_counter() - start))
    return best
