"""The real encoder, where it can be had."""

import pytest

from minibert.data.released_models import RELEASED_MODELS, fetch_model
from minibert.errors import DataError


@pytest.fixture(scope="session")
def minilm():
    """The folder of all-minilm-l6-v2."""
    try:
        return fetch_model(RELEASED_MODELS["all-minilm-l6-v2"])
    except DataError as error:
        pytest.skip(f"all-minilm-l6-v2 cannot be fetched here: {error}")
