"""Files and words with bits flipped, cut, or put together of parts: read whole, or refused in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.robustness.fuzz.seeds import inputs
from tests.robustness.fuzz.targets import TARGETS


@pytest.fixture(scope="module")
def whole():
    return inputs()


@st.composite
def damages(draw):
    """Which whole input is taken, and what is done to it: places are shares of its length."""
    place = st.floats(0, 1, exclude_max=True)
    flip = st.tuples(st.just("flip"), place, st.integers(0, 7))
    cut = st.tuples(st.just("cut"), place, place)
    splice = st.tuples(st.just("splice"), place, st.integers(0, 9))
    put = st.tuples(st.just("put"), place, st.binary(max_size=12))
    return draw(st.integers(0, 9)), draw(st.lists(st.one_of(flip, cut, splice, put), min_size=1, max_size=5))


def damaged(contents, which, changes):
    content = contents[which % len(contents)]
    for how, share, what in changes:
        at = int(share * len(content))
        if how == "flip" and content:
            content = content[:at] + bytes([content[at] ^ 1 << what]) + content[at + 1 :]
        elif how == "cut":
            content = (
                content[: min(at, int(what * len(content)))] + content[max(at, int(what * len(content))) :]
            )
        elif how == "splice":
            other = contents[what % len(contents)]
            content = content[:at] + other[int(share * len(other)) :]
        elif how == "put":
            content = content[:at] + what + content[at:]
    return content


@pytest.mark.parametrize("target", TARGETS)
@given(damage=damages())
def test_what_is_damaged_is_read_whole_or_refused(target, damage, whole):
    TARGETS[target](damaged(whole[target], *damage))


@pytest.mark.parametrize("target", TARGETS)
@given(content=st.binary(max_size=300))
def test_what_was_never_whole_is_read_whole_or_refused(target, content):
    TARGETS[target](content)
