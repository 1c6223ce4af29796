"""The fuzz corpus in CI: every committed input, and a short run of mutations."""

import pytest
from support.fuzzing import fuzz, fuzz_one, load_corpus

from musefs.index.counters import Counter

pytestmark = pytest.mark.expected_degradations(*Counter)


@pytest.mark.parametrize("name", load_corpus())
def test_committed_input(name: str) -> None:
    fuzz_one(load_corpus()[name])


def test_a_few_seconds_of_mutations() -> None:
    assert fuzz(3) > 20


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_minutes_of_mutations() -> None:
    assert fuzz(600, seed=1) > 1000
