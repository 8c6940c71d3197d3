"""Several runs at once: each comes out as alone, whatever becomes of the others; a signal stops and saves all."""

import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.cli.tiny_runs import TINY, WAITING, results, told_to_stop
from tests.evaluation.heard import Heard

import dreaming
from dreaming.cli.main import main
from dreaming.errors import RunsFailed
from dreaming.system.progress import NoProgress
from dreaming.system.signals import Interrupt
from dreaming.training import population
from dreaming.training.processes import ended

pytestmark = pytest.mark.usefixtures("shapes_unchecked")

FILE = """
import dreaming

class Own(dreaming.NREM):
    def objective(self, *words):
        return super().objective(*words)


class Halved(dreaming.Replay):
    share: float = 0.5

    def recall(self, hippocampus, noise=None):
        return self.share * super().recall(hippocampus, noise)


CYCLE = (dreaming.Wake(), dreaming.NREM(), dreaming.REM(replay=Halved()))
"""
ORGANS = Path(__file__).with_name("contrasting.py")
RESNET = Path(__file__).parents[2] / "examples/small_resnet.py"
SCRIPT = """
import multiprocessing, os, signal, sys
import dreaming
from dreaming.system.progress import TerminalProgress
from tests.training.test_processes import configured, of_ones_own

class Crash(dreaming.NREM):
    def objective(self, cortex, images, hippocampus, draws):
        raise KeyError("no such dream")

class Killed(dreaming.NREM):
    def objective(self, *words):
        os.kill(os.getpid(), signal.SIGKILL)

own, out = sys.argv[1:]
configured(phases=f"{own}:Own")  # the file is executed again below, as several seeds do
configs = [
    configured("optimizer.learning_rate=1e30", name="diverging"),
    configured(name="crashing").model_copy(update={"phases": (dreaming.Wake(), Crash())}),
    *of_ones_own(own),
    configured(name="killed").model_copy(update={"phases": (dreaming.Wake(), Killed())}),
]
with TerminalProgress() as display:
    try:
        dreaming.train_all(configs, out=out, workers=2, progress=display)
    except dreaming.UserError as failed:
        print(failed, file=sys.stderr)
        print(len(multiprocessing.active_children()), "children are left")
"""


def configured(*settings, phases=None, networks=None, **sections):
    return dreaming.configure(
        phases=phases,
        networks=networks or {"base_channels": 2, "latent_dim": 8, "image_channels": 1},
        dataset={"limit": 80},
        training={"epochs": 2, "batch_size": 16, "device": "cpu", "snapshots": "ends"},
        settings=settings,
        **sections,
    )


def of_ones_own(file):
    """Configs with a phase, a replay and networks, and phases with organs, of a user's own."""
    small = ("networks.width=2", "networks.latent_dim=8")
    return [
        configured(name="own", phases=f"{file}:Own"),
        configured(*small, name="networks", phases=f"{file}:CYCLE", networks=f"{RESNET}:small_resnet"),
        configured("networks.image_channels=3", name="organs", phases=f"{ORGANS}:both"),
    ]


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Runs of a script, beside those that diverge, crash or are killed: their folder, and what it said."""
    here = tmp_path_factory.mktemp("together")
    script, own, out = here / "script.py", here / "own.py", here / "runs"
    script.write_text(SCRIPT)
    own.write_text(FILE)
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, str(script), str(own), str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    return out, done.stdout, done.stderr


@pytest.mark.parametrize("number", range(3), ids=["a phase", "networks and a replay", "organs"])
def test_a_run_beside_others_is_bit_for_bit_the_run_alone(number, together, tmp_path):
    out, _, _ = together
    alone = dreaming.train(of_ones_own(out.parent / "own.py")[number], out=tmp_path)
    assert results(out / alone.relative_to(tmp_path)) == results(alone)


def test_runs_that_fail_are_named_with_the_reason_when_the_others_are_done(together):
    _, log, said = together
    assert said.startswith("3 of 6 runs failed, digits/diverging/seed-0: wake.image became nan in epoch 1")
    assert re.search(r"digits/crashing/seed-0: .*KeyError: 'no such dream' \(script\.py, line \d+\)", said)
    assert "digits/killed/seed-0: its process was killed" in said
    assert said.endswith("; the other 3 came to their end\n")
    assert said.count("\n") == 1
    assert "0 children are left" in log


def test_the_traceback_of_a_child_is_shown_line_by_line(tmp_path):
    ending, heard = ended(lambda: 1 / 0), Heard()
    with pytest.raises(RunsFailed, match="ZeroDivisionError"):
        population._whole({tmp_path: ending}, [tmp_path], tmp_path, heard)
    assert heard.lines == ending.fault.splitlines()
    assert len(heard.lines) > 3


POOL = """
import multiprocessing, sys
import dreaming
from tests.training.test_processes import configured

def sweep(workers):
    try:
        runs = dreaming.train_all([configured(seed=seed) for seed in (0, 1)], out="runs", workers=workers)
        return [run.name for run in runs]
    except dreaming.UserError as refused:
        return str(refused)

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(*pool.map(sweep, [2, None]), sep="\\n")
"""


def run_python(folder, *words, **more):
    """Run Python in a folder, with what these tests can import."""
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *sys.path])}
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=True, **more
    ).stdout


def test_a_worker_of_a_pool_trains_one_after_another_and_says_that_it_may_not_have_children(tmp_path):
    (tmp_path / "script.py").write_text(POOL)
    refused, trained = run_python(tmp_path, "script.py").splitlines()
    assert refused.startswith(
        "a worker of a multiprocessing.Pool may begin no process of its own; train with"
    )
    assert trained == "['seed-0', 'seed-1']"


def test_a_script_on_standard_input_trains_several_runs(tmp_path):
    script = """
import dreaming
from tests.training.test_processes import configured
print(len(dreaming.train_all([configured(seed=seed) for seed in (0, 1)], out="runs", workers=2)))
"""
    assert run_python(tmp_path, "-", input=script) == "2\n"


NOTEBOOK = """
import sys

CELL = '''
from pathlib import Path
import dreaming
from tests.training.test_processes import configured

class Nap(dreaming.NREM):
    def objective(self, *words):
        return super().objective(*words)

class Noted:
    def __call__(self, done):
        Path(done.run.name).touch()

configs = [configured(phases=Nap, seed=seed) for seed in (0, 1)]
print(len(dreaming.train_all(configs, out="runs", workers=2, on_epoch=Noted())))
'''
import queue  # as a notebook has, before it looks into the working folder
sys.path.insert(0, "")
del globals()["__file__"]
In = ["", CELL]
exec(CELL)
"""


def test_classes_of_a_notebook_are_trained_beside_a_queue_py_of_the_users(tmp_path):
    for name in ("elsewhere", "here"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere/notebook.py").write_text(NOTEBOOK)
    (tmp_path / "here/queue.py").write_text("raise RuntimeError('the queue of the user')")
    assert run_python(tmp_path / "here", "../elsewhere/notebook.py").splitlines()[-1] == "2"
    assert {path.name for path in (tmp_path / "here").iterdir()} >= {"seed-0", "seed-1"}


def test_each_line_of_an_epoch_names_its_run(together):
    _, log, _ = together
    lines = [line for line in log.splitlines() if line.startswith("digits/own/seed-0: epoch ")]
    assert [line.partition("  ")[0].rpartition(" ")[2] for line in lines] == ["1/2", "2/2"]
    assert " left" in lines[0]


def test_classes_that_cannot_travel_are_refused_before_anything_begins(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(HOLDING)
    holding = configured(name="b", phases=f"{own}:Holding")
    with pytest.raises(dreaming.UserError, match=r"b cannot be sent to a process of its own \(.*workers=1"):
        dreaming.train_all([configured(), holding], out=tmp_path / "runs", workers=2)
    assert not (tmp_path / "runs").exists()


HOLDING = """
import threading
from typing import ClassVar
from dreaming import NREM

class Holding(NREM):
    lock: ClassVar = threading.Lock()
"""


@pytest.fixture(scope="module")
def with_signal(tmp_path_factory):
    """Words for two seeds of three epochs, in the second of which they wait for a signal."""
    file = tmp_path_factory.mktemp("own") / "own.py"
    file.write_text(WAITING)
    words = ("train", *TINY, "--epochs", "3", "--snapshots", "ends", "--seeds", "2")
    return (*words, "--phases", f"{file}:waiting")


RUNS = [f"digits/waiting/seed-{seed}" for seed in (0, 1)]


@pytest.fixture(scope="module")
def interrupted(with_signal, tmp_path_factory):
    """Two runs at once, whose whole process group hears Ctrl-C: the folder, status, output and errors."""
    out, when = tmp_path_factory.mktemp("interrupted"), [f"{run}: epoch 1/" for run in RUNS]
    words = (*with_signal, "--workers", "2")
    return out, *told_to_stop(words, out, signal.SIGINT, whole_group=True, when=when)


def test_ctrl_c_stops_all_runs_in_one_sentence(interrupted):
    out, status, said, error = interrupted
    assert status == 3, (said, error)
    assert error == (
        "dreaming: stopped with 0 of 2 runs finished, 2 stopped on their way and 0 not begun; "
        f"all is saved in {out}, and the same command goes on from there\n"
    )
    assert "epoch 3/3" not in said


def test_runs_that_were_stopped_go_on_bit_for_bit(interrupted, with_signal, tmp_path, capsys):
    out, *_ = interrupted
    for folder in (out, tmp_path):
        assert main([*with_signal, "--workers", "1", "--out", str(folder)]) == 0
    assert "cycles done" in capsys.readouterr().out
    for run in RUNS:
        assert results(out / run) == results(tmp_path / run)


def test_children_of_a_parent_that_is_killed_save_and_end(with_signal, tmp_path, capsys):
    when = [f"{run}: epoch 1/" for run in RUNS]
    words = (*with_signal, "--workers", "2")
    status, _, error = told_to_stop(words, tmp_path, signal.SIGKILL, when=when)  # waits for children too
    assert (status, error) == (-signal.SIGKILL, "")
    assert main([*with_signal, "--workers", "1", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("cycles done") == 2


def test_one_after_another_a_run_that_fails_leaves_the_others(tmp_path):
    diverging = configured("optimizer.learning_rate=1e30", name="diverging")
    with pytest.raises(
        dreaming.UserError, match=r"^1 of 2 runs failed, digits/diverging/seed-0: .* its end$"
    ):
        population.train_all([diverging, configured()], out=tmp_path, workers=1)
    assert len((tmp_path / "digits/pad/seed-0/losses.csv").read_text().splitlines()) == 3


def test_one_after_another_those_behind_a_stop_are_not_begun(tmp_path):
    class Stops(NoProgress):
        def cycle(self):
            signal.raise_signal(signal.SIGTERM)

    configs = [configured(seed=seed) for seed in (0, 1)]
    with pytest.raises(
        dreaming.Stopped, match="0 of 2 runs finished, 1 stopped on their way and 1 not begun"
    ):
        population.train_all(configs, out=tmp_path, workers=1, progress=Stops())
    runs = population.train_all(configs, out=tmp_path, workers=1)
    assert runs == [tmp_path / f"digits/pad/seed-{seed}" for seed in (0, 1)]


class TestAsOnAGpu:
    """Runs of one make go side by side; this machine's CPU stands in for the GPU."""

    def test_runs_that_differ_in_more_than_the_seed_are_apart(self):
        configs = [configured(seed=0), configured(seed=1), configured(name="other", seed=0)]
        groups = population._alike({Path(str(number)): each for number, each in enumerate(configs)})
        assert [list(map(str, group)) for group in groups] == [["0", "1"], ["2"]]

    @pytest.mark.parametrize("examined", [True, False])
    def test_each_group_is_trained_side_by_side_where_the_doctor_has_passed(
        self, examined, tmp_path, monkeypatch
    ):
        called = []
        monkeypatch.setattr(population, "auto_path", lambda where: "captured" if examined else "plain")
        monkeypatch.setattr(population, "train", lambda config, **_: called.append([config]))
        monkeypatch.setattr(population, "train_together", lambda configs, **_: called.append(list(configs)))
        gpu = torch.device("cuda")
        monkeypatch.setattr(population.hardware, "device", lambda name: gpu)
        configs = [configured(seed=0), configured("phases.rem.weight=2", name="b"), configured(seed=1)]
        runs = population.train_all(configs, out=tmp_path)
        together, apart = [[configs[0], configs[2]], [configs[1]]], [[config] for config in configs]
        assert called == (together if examined else apart)
        assert runs == [tmp_path / f"digits/{name}" for name in ("pad/seed-0", "b/seed-0", "pad/seed-1")]

    def test_one_that_failed_is_named_and_those_beside_are_whole(self, tmp_path, monkeypatch):
        paths = [tmp_path / f"digits/pad/seed-{seed}" for seed in (0, 1)]

        def one_fails(configs, **_):
            raise RunsFailed({paths[1]: "it diverged"})

        monkeypatch.setattr(population, "train_together", one_fails)
        group = {path: configured(seed=seed) for seed, path in enumerate(paths)}
        endings = population._one_after_another([group], {"out": tmp_path}, NoProgress(), Interrupt())
        assert [endings[path].kind for path in paths] == ["finished", "failed"]
        with pytest.raises(dreaming.UserError, match=r"^1 of 2 runs failed, digits/pad/seed-1: it diverged;"):
            population._whole(endings, paths, tmp_path, NoProgress())


def test_a_failure_of_several_runs_comes_whole_out_of_another_process():
    failure = RunsFailed({Path("runs/a"): "it diverged"}, "1 of 2 runs failed")
    again = pickle.loads(pickle.dumps(failure))
    assert (str(again), again.failed) == (str(failure), failure.failed)


def test_a_mistake_of_all_runs_is_told_once(tmp_path):
    nowhere = f"dataset.name=folder:{tmp_path / 'none'}"
    configs = [configured(nowhere, seed=seed) for seed in (0, 1)]
    with pytest.raises(dreaming.UserError) as error:
        population.train_all(configs, out=tmp_path, workers=1)
    assert "runs failed" not in str(error.value)


def test_no_workers_and_two_runs_of_one_folder_are_refused(tmp_path):
    configs = [configured(seed=seed) for seed in (0, 1)]
    with pytest.raises(dreaming.UserError, match="workers is 0; at least one is needed"):
        population.train_all(configs, out=tmp_path, workers=0)
    with pytest.raises(dreaming.UserError, match=r"two of these runs would be written into .*seed-0;"):
        population.train_all([configured(), configured()], out=tmp_path, workers=2)
    assert population.train_all([], out=tmp_path) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (("--workers", "0"), "--workers is 0; at least one is needed"),
        (("--workers=-2",), "--workers is -2; at least one is needed"),
        (("--seeds", "2", "--set", "seed=5"), "one seed; use --seed for the first"),
    ],
)
def test_the_command_line_refuses_what_cannot_be(words, because, tmp_path, capsys):
    assert main(["train", *words, "--out", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert because in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()
