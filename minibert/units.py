"""Numbers as people read them."""


def bytes_text(n: float) -> str:
    """Return a number of bytes with a unit: 1536 -> "1.5 KiB"."""
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} GiB"
