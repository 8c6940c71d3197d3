"""Sentences for users, and the lines of theirs that an error passed through."""

import linecache

import numpy as np
import pytest

from dreaming.errors import Stopped, UserError, own_lines


def raised_by(code, name, **defined):
    """The error that code raises which stands in no file, as that of a notebook's cell."""
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    try:
        exec(compile(code, name, "exec"), defined)
    except Exception as error:
        return error


def test_the_line_of_the_user_is_named_and_not_that_of_a_library():
    error = raised_by("\nnp.zeros(3).reshape(2, 2).sum()\n", "<cell 1>", np=np)
    here, cell = own_lines(error)
    assert here.startswith("test_errors.py, line ")
    assert cell == "line 2: np.zeros(3).reshape(2, 2).sum()"


def test_of_an_error_in_a_library_alone_its_innermost_line_is_named():
    error = raised_by("np.stack([])", "<cell 2>", np=np)
    error.__traceback__ = error.__traceback__.tb_next.tb_next
    (line,) = own_lines(error)
    assert line.startswith("shape_base.py, line ")


@pytest.mark.parametrize("kind", [UserError, Stopped])
def test_a_notebook_shows_the_users_lines_and_the_sentence(kind):
    def refuse():
        raise kind("there is no 'x'; did you mean 'y'?")

    error = raised_by("value = 1\nrefuse()\n", "<cell 3>", refuse=refuse)
    lines = error._render_traceback_()
    assert "line 2: refuse()" in lines
    assert lines[-1] == f"{kind.__name__}: there is no 'x'; did you mean 'y'?"
