"""Tables of any numbers and words go round to the last bit; what is damaged is refused."""

import math
import struct
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreaming.errors import UserError
from dreaming.runs.folder import MEASURES, RunFolder, csv, read_table

WORDS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\0"), max_size=12
)  # as names of data sets are
ROWS = st.lists(
    st.tuples(
        *(WORDS, WORDS, st.integers(0, 2**63 - 1), st.one_of(st.none(), st.integers(0, 2**60))),
        *(WORDS, WORDS, st.floats()),
    ),
    min_size=1,
    max_size=6,
)


def bits(value):
    return "nan" if math.isnan(value) else struct.pack("<d", value)


@given(rows=ROWS)
def test_any_rows_go_round_to_the_last_bit(rows):
    columns = dict(zip(MEASURES, map(list, zip(*rows, strict=True)), strict=True))
    table = pd.DataFrame({**columns, "epoch": pd.array(columns["epoch"], dtype="Int64")})
    again = read_table(Path("measures.csv"), MEASURES, csv(table))
    assert tuple(again.columns) == MEASURES
    for number, row in enumerate(rows):
        found = again.iloc[number]
        assert [found[name] for name in ("dataset", "condition", "measure", "parameter")] == [
            *row[:2],
            *row[4:6],
        ]
        assert found["seed"] == row[2]
        assert pd.isna(found["epoch"]) if row[3] is None else found["epoch"] == row[3]
        assert bits(found["value"]) == bits(row[6])


@given(
    value=st.floats(),
    where=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
    name=st.sampled_from(["losses", "config", "environment", "checksums"]),
)
def test_a_flipped_bit_in_a_file_of_a_run_is_found_or_changes_nothing(
    tmp_path_factory, value, where, bit, name
):
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    table = pd.DataFrame({"epoch": [1, 2], "cycles": 5, "seconds": 0.25, "wake.kl": [0.5, value]})
    folder.write_table(folder.losses, table)
    folder.write(folder.config, b"seed: 3\n")
    folder.write_environment({"sessions": [{"seed": 3}]})
    reads = {
        "losses": lambda: bits(folder.read_losses()["wake.kl"].iloc[1]),
        "config": lambda: folder.read(folder.config),
        "environment": folder.read_environment,
    }
    before = {key: read() for key, read in reads.items()}
    path = getattr(folder, name)
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    path.write_bytes(content)
    refused = 0
    for key, read in reads.items():
        try:
            assert read() == before[key]
        except UserError:
            refused += 1
    assert name == "checksums" or refused == 1


@pytest.mark.parametrize("seed", [2**53 + 1, 2**63 - 1])
def test_a_large_seed_keeps_every_digit(seed):
    content = f"{','.join(MEASURES)}\ndigits,pad,{seed},1,m,p,0.5\n".encode()
    assert read_table(Path("measures.csv"), MEASURES, content)["seed"].tolist() == [seed]


@pytest.mark.parametrize(
    "row", ["1,2", "1,2,3,4", "inf,2,3", "1e300,2,3", "1.5,2,3", '"1\r",2,3'], ids=["short", "long", *"abcd"]
)
def test_rows_that_do_not_fit_the_header_are_refused(row):
    with pytest.raises(UserError, match=r"losses\.csv is damaged: it is no table"):
        read_table(
            Path("losses.csv"), ("epoch", "cycles", "seconds"), f"epoch,cycles,seconds\n{row}\n".encode()
        )
