"""Tables of any numbers and words go round to the last bit; what is damaged is refused."""

import math
import struct

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreaming.config.config import Config
from dreaming.errors import UserError
from dreaming.runs.folder import MEASURE_COLUMNS, PROJECTION_COLUMNS, RunFolder
from dreaming.runs.tables import read_table

# As names of data sets are.
WORDS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\0"), max_size=12)
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
def test_any_rows_go_round_to_the_last_bit(tmp_path_factory, rows):
    columns = dict(zip(MEASURE_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    table = pd.DataFrame({**columns, "epoch": pd.array(columns["epoch"], dtype="Int64")})
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    folder.write_table(folder.measures, table)
    again = read_table(folder.measures, MEASURE_COLUMNS, needed=("value",))
    assert tuple(again.columns) == MEASURE_COLUMNS
    for number, row in enumerate(rows):
        found = again.iloc[number]
        texts = [found[name] for name in ("dataset", "condition", "measure", "parameter")]
        assert texts == [*row[:2], *row[4:6]]
        assert found["seed"] == row[2]
        assert pd.isna(found["epoch"]) if row[3] is None else found["epoch"] == row[3]
        assert bits(found["value"]) == bits(row[6])


@pytest.fixture
def read(tmp_path):
    """Reads a losses.csv of this content."""

    def losses(content):
        (tmp_path / "losses.csv").write_bytes(content)
        return read_table(tmp_path / "losses.csv", ("epoch", "cycles", "seconds"))

    return losses


def test_a_table_as_people_save_it_is_read(read):
    table = read(b'epoch,cycles,seconds,wake.kl,dataset\r\n1.0,"4",0.10,1e-3,NA\r\n2,,,inf,nan\r\n\r\n')
    assert table["epoch"].tolist() == [1, 2]
    assert table["cycles"].isna().tolist() == [False, True]
    assert table["seconds"].isna().tolist() == [False, True]
    assert table["wake.kl"].tolist() == [0.001, math.inf]
    assert table["dataset"].tolist() == ["NA", "nan"]  # a name may be any word


def test_what_is_wrong_with_a_row_or_a_column_is_said(read):
    with pytest.raises(UserError, match="line 3 has 2 cells and the first 3"):
        read(b"epoch,cycles,seconds\n1,2,3\n2,2\n")
    with pytest.raises(UserError, match="two of its columns are called 'note'"):
        read(b"epoch,cycles,seconds,note,note\n1,2,3,4,5\n")


def test_a_column_of_a_persons_notes_stays_text(read):
    table = read(b"epoch,cycles,seconds,wake.kl,note\n1,2,3,4,\n2,2,3,4,power cut\n3,2,3,4,007\n")
    assert table["note"].tolist() == ["", "power cut", "007"]
    assert table["wake.kl"].tolist() == [4.0, 4.0, 4.0]


@pytest.mark.parametrize("seed", [2**53 + 1, 2**63 - 1])
def test_a_large_seed_keeps_every_digit(seed, read):
    assert read(f"epoch,cycles,seconds,seed\n1,2,3,{seed}\n".encode())["seed"].tolist() == [seed]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\xff\xfe\x00garbage", b"\0\n", b"{}\n"),
        *(
            b"epoch;cycles;seconds\n1;2;3\n",
            b"1,5,0.2,0.4\n",
            b"cycles,epoch,seconds\n1,2,3\n",
            b"epoch,cycles\n1,2\n",
        ),
        *(b"epoch,cycles,seconds\n" + row for row in (b"1,2,3,4\n", b"1,2,3\n1,2,3,4\n", b"1,2,three\n")),
        *(b"epoch,cycles,seconds\n" + row for row in (b"1\n", b"1,2,3\n2,2\n", b'1,2,"3\n')),
        *(b"epoch,cycles,seconds,a,a\n1,2,3,4,5\n", b"epoch,cycles,seconds,epoch\n1,2,3,4\n"),
        *(b"epoch,cycles,seconds\n" + row for row in (b"one,2,3\n", b"1.5,2,3\n", b"inf,2,3\n", 5000 * b"9")),
    ],
    ids=repr,
)
def test_what_is_no_such_table_is_named(content, read):
    with pytest.raises(UserError, match=r"losses\.csv is damaged") as told:
        read(content)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 600


def test_a_table_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"losses\.csv is missing"):
        RunFolder(tmp_path).read_losses()
    (tmp_path / "losses.csv").mkdir()
    with pytest.raises(UserError, match=r"losses\.csv cannot be read \(Is a directory\)"):
        RunFolder(tmp_path).read_losses()


def test_every_column_of_numbers_that_a_run_writes_is_read_as_numbers(tmp_path):
    folder = RunFolder(tmp_path)
    values = ["d", "pad", 0, 1, "projection", "pca", 3, 2, 0.3, 1, 0.5]
    projection = dict(zip(PROJECTION_COLUMNS, values, strict=True))
    folder.write_config(Config(dataset={"name": "d"}))
    folder.write_table(folder.projection, pd.DataFrame([projection]))
    (found,) = folder.read_projection().to_dict("records")
    assert found == projection
