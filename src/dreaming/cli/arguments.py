"""Command-line words: tyro reads them; what it cannot read becomes one sentence."""

import ast
import contextlib
import dataclasses
import inspect
import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from dreaming.errors import UserError, nearest, spelled

MARKERS = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff)
PACKAGE = Path(__file__).parents[1]
CHOICE = re.compile(r"invalid choice (?P<value>'.*') for argument '(?P<option>.*?)'.*\((?P<choices>.*)\)")
PLAINER = {
    r"invalid literal for int\(\) with base 10: ('.*')": r"\1 is no whole number",
    r"could not convert string to float: ('.*')": r"\1 is no number",
    r"no type matching \{None\}\|INT could be instantiated from \[('.*')\]": r"\1 is no whole number",
    r"Missing value for argument '(.*)'\. Expected 1 values": r"\1 wants a value",
    r"(--seeds: '\d+[-,:. ].*') is no whole number": r"\1 is no number of runs, of which --seed is the first",
}
"""What Python says of a value that it cannot read, and how people say it."""
GROUPS = {"data": "List, fetch and check data sets."}


TRY_FIRST = """Examples:
    dreaming train --epochs 5
    dreaming reproduce --profile demo"""
"""What to try first."""


def read(verbs: Mapping[str, Any], words: Sequence[str], prog: str, description: str) -> Any:
    """Read a command line.

    Parameters
    ----------
    verbs
        A dataclass for each verb, or a mapping of such for a verb with verbs of its own.
    words
        What the user wrote.
    prog
        What the program is called.
    description
        What it is for.

    Returns
    -------
    object
        The verb's dataclass, filled.

    Raises
    ------
    UserError
        If a verb or an option is unknown (the nearest is suggested), missing, or its value cannot be read.
    SystemExit
        With status 0, after help was printed.

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Sleep:
    ...     hours: int = 8
    >>> read({"sleep": Sleep}, ["sleep", "--hours", "9"], "night", "Nights.")
    Sleep(hours=9)
    >>> read({"sleep": Sleep}, ["sleep", "--hour", "9"], "night", "Nights.")
    Traceback (most recent call last):
    dreaming.errors.UserError: sleep has no option '--hour'; did you mean '--hours'?
    """
    for word in words:
        if not word.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in word):
            raise UserError(f"{word!a} is no text in UTF-8; name it otherwise")
    path, verb = [prog], verbs
    for word in words:
        if not isinstance(verb, Mapping) or word in ("-h", "--help"):
            break
        if word not in verb:
            kind = "option" if word.startswith("-") else "verb"
            raise UserError(f"{' '.join(path[1:]) or prog} has no {kind} '{word}'; {nearest(word, verb)}")
        path.append(word)
        verb = verb[word]
    rest = words[len(path) - 1 :]
    helps = "-h" in rest or "--help" in rest
    if isinstance(verb, Mapping):
        if not helps:
            raise UserError(f"{' '.join(path[1:]) or prog} wants one of: {', '.join(verb)}")
        about = GROUPS.get(path[-1]) or f"{description}\n\n{TRY_FIRST}"
        return _tyro(_choice(verb), rest, " ".join(path), about)
    if helps:
        return _tyro(_grouped(verb), rest, " ".join(path), _described(verb))
    _known_options(verb, rest, " ".join(path[1:]))
    return _tyro(verb, rest, " ".join(path), None)


def condition_lines() -> dict[str, str]:
    """Return each condition of `dreaming.model.conditions` with its line of help; they are read and not imported.

    Examples
    --------
    >>> condition_lines()["without_nrem"]
    'No NREM.'
    """
    functions = [node for node in _parsed("model/conditions.py").body if isinstance(node, ast.FunctionDef)]
    return {
        each.name: (ast.get_docstring(each) or "").partition("\n")[0]
        for each in functions
        if each.decorator_list
    }


def fetched_names() -> list[str]:
    """Return the names of the data sets that come in files to be fetched; their readers are read and not imported.

    Examples
    --------
    >>> fetched_names()
    ['cifar10', 'cifar100', 'stl10', 'svhn']
    """
    found = []
    for reader in sorted((PACKAGE / "data/readers").glob("*.py")):
        for node in _parsed(f"data/readers/{reader.name}").body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SOURCE":
                given = {each.arg: each.value for each in node.value.keywords}  # type: ignore[attr-defined]
                found += [ast.literal_eval(given["name"])] if "layouts" in given else []
    return found


@cache
def _parsed(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text("utf-8"))


def help_of(group: str, field: str) -> str:
    """Return the help of an option that is a field of the config: the first sentences of the field's docstring.

    The docstring is read from the source of `dreaming.config.config`: to import it takes torch, which help and
    mistakes need not wait for.

    Examples
    --------
    >>> help_of("Training", "epochs")
    'passes over the training images; more than a finished run has go on with it'
    """
    for node in _parsed("config/config.py").body:
        if isinstance(node, ast.ClassDef) and node.name == group:
            for line, below in pairwise(node.body):
                if ast.unparse(line).startswith(f"{field}:") and isinstance(below, ast.Expr):
                    text = " ".join(ast.literal_eval(below.value).replace("`", "").split())
                    return (text[0].lower() + text[1:]).rstrip(".")
    raise KeyError(f"{group}.{field}")


def _choice(verbs: Mapping[str, Any]) -> Any:
    """Return a dataclass of verbs, for help: for words on a bare union, tyro parses the source of `typing`."""
    return dataclasses.make_dataclass("Choice", [("verb", Annotated[_union(verbs), tyro.conf.arg(name="")])])


def _union(verbs: Mapping[str, Any]) -> Any:
    members = [
        Annotated[
            _union(verb) if isinstance(verb, Mapping) else verb,
            tyro.conf.subcommand(name, description=GROUPS.get(name) or _described(verb).partition("\n")[0]),
        ]
        for name, verb in verbs.items()
    ]
    return Union[tuple(members)]  # noqa: UP007 - the members are known only at run time


def _described(verb: Any) -> str:
    """Return what a verb does, and examples of it, from its docstring."""
    what, _, examples = (inspect.getdoc(verb) or "").partition("\n\nExamples\n--------\n")
    what = " ".join(what.split())
    return what + ("\n\nExamples:\n" + textwrap.indent(examples, "    ") if examples else "")


def _grouped(verb: Any) -> Any:
    """Return a dataclass for a verb's help: the options of each class that it inherits from are a group."""
    fields: list[tuple[str, Any, Any]] = []
    for kind in reversed(verb.__mro__[1:-1]):
        own = [
            each for each in dataclasses.fields(verb) if each.name in vars(kind).get("__annotations__", {})
        ]
        for each in own:
            hidden = dataclasses.field(default=each.default, kw_only=True)
            fields.append((each.name, Annotated[each.type, tyro.conf.Suppress], hidden))
        if own:
            group = kind.__name__.removesuffix("Options").lower()
            fields.append((group, kind, dataclasses.field(default_factory=kind, kw_only=True)))
    return dataclasses.make_dataclass(verb.__name__, fields, bases=(verb,), frozen=True)


def _known_options(verb: Any, words: Sequence[str], program: str) -> None:
    known = [
        f"--{field.name.strip('_').replace('_', '-')}"
        for field in dataclasses.fields(verb)
        if tyro.conf.Positional not in getattr(field.type, "__metadata__", ())
    ]
    for word in words:
        name = word.split("=", 1)[0]
        if name.startswith("--") and name.replace("_", "-") not in known:
            setting = _setting(verb, name.replace("_", "-"), word)
            hint = f"did you mean '{setting}'?" if setting else nearest(name, known)
            raise UserError(f"{program} has no option '{name}'; {hint}")


def _setting(verb: Any, option: str, word: str) -> str | None:
    """Return how a field of the config is set that was written as an option of its own."""
    if not hasattr(verb, "configures"):
        return None
    annotated = {
        node.name: {
            ast.unparse(each.target): ast.unparse(each.annotation)
            for each in node.body
            if isinstance(each, ast.AnnAssign)
        }
        for file in ("config/config.py", "model/plasticity.py", "model/hippocampus.py")
        for node in _parsed(file).body
        if isinstance(node, ast.ClassDef)
    }
    for section, group in annotated["Config"].items():
        for field in annotated.get(group, {}):
            if option == f"--{field.replace('_', '-')}":
                return f"--set {section}.{field}={word.partition('=')[2] or 'VALUE'}"
    return None


def _tyro(kind: Any, words: Sequence[str], program: str, description: str | None) -> Any:
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(kind, args=list(words), prog=program, description=description, config=MARKERS)
    except SystemExit as stop:
        if not stop.code:
            raise
    said = _first_part(complaint.getvalue())
    if found := CHOICE.search(said):
        choices = [each for each in re.findall(r"'(.*?)'", found["choices"]) if each != "None"]
        value = found["value"].strip("'")
        if (known := spelled(value, choices)) != value:
            return _tyro(kind, _with(words, found["option"], value, known), program, description)
        said = f"{found['option']} is {found['value']}; {nearest(value, choices)}"
    for their, ours in PLAINER.items():
        said = re.sub(their, ours, said)
    raise UserError(
        f"{program.partition(' ')[2]}: {said}{'' if said[-1] == '?' else ';'} see {program} --help"
    )


def _with(words: Sequence[str], option: str, value: str, known: str) -> list[str]:
    """Return a command line with another value for an option."""
    changed = {f"{option}={value}": f"{option}={known}"}
    pairs = zip(["", *words], words, strict=False)
    return [known if (before, word) == (option, value) else changed.get(word, word) for before, word in pairs]


def _first_part(box: str) -> str:
    """Return what tyro says in the first part of its box, which is drawn in lines or in ASCII."""
    lines = [line.strip(" │|╭╮╰╯+") for line in box.splitlines()]
    part: list[str] = []
    for line in lines[1:]:  # the first is the title
        rule = not line.strip("─-")
        if part and rule:
            break
        if not rule:
            part.append(line)
    said = " ".join(part) or "cannot read these words"
    return (
        said.replace("Error parsing ", "")
        .replace("Unrecognized options:", "cannot make sense of")
        .rstrip(".")
    )
