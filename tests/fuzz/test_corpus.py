"""What a fuzzer once found stays mended; and its targets work, with or without a fuzzer."""

import pytest
from fuzz.targets import CORPUS, seeds, target
from hostile.readers import READERS


@pytest.mark.parametrize("kind", READERS)
def test_found_cases_and_good_files(kind, tmp_path):
    seeds(kind, tmp_path / "seeds")
    (tmp_path / "work").mkdir()
    read = target(kind, tmp_path / "work")
    kept = sorted(CORPUS.glob(f"{kind}/*"))
    for path in [*sorted((tmp_path / "seeds").iterdir()), *kept]:
        read(path.read_bytes())
