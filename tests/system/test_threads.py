"""What the program settles of its process before torch is imported, and what a library call leaves alone."""

import os
import subprocess
import sys

import pytest

import dreaming
from dreaming.system import threads

TINY = {
    "networks": {"base_channels": 1, "latent_dim": 2},
    "dataset": {"limit": 64},
    "training": {"epochs": 1},
}


@pytest.fixture
def many(monkeypatch):
    """A machine of 64 processors, whatever this one has."""
    monkeypatch.setattr(threads, "_processors", lambda: 64)


def container(root, groups, files):
    """Write what the kernel tells of control groups."""
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),  # a share of a core is one to compute on
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 64),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "9900000 100000\n"}, 64),
        (
            "0::/a/b\n",
            {"sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "sys/fs/cgroup/a/cpu.max": "300000 100000"},
            3,
        ),
        (
            "0::/a\n",
            {"sys/fs/cgroup/a/cpu.max": "500000 100000\n", "sys/fs/cgroup/cpu.max": "400000 100000"},
            4,
        ),
        (
            "5:cpu,cpuacct:/a\n4:memory:/b\n0::/\n",
            {
                "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            "5:cpu,cpuacct:/\n",
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            64,
        ),
        ("0::/gone\n", {}, 64),
    ],
)
def test_a_quota_counts_as_cores(groups, files, cores, tmp_path):
    assert threads.cores(container(tmp_path, groups, files)) == cores


@pytest.mark.usefixtures("many")
def test_a_system_without_control_groups_has_its_processors(tmp_path):
    assert threads.cores(tmp_path) == 64


class TestTheWishes:
    @pytest.fixture(autouse=True)
    def nothing_said(self, monkeypatch):
        for name in (threads.SPINS[0], threads.POLICY, threads.THREADS):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(threads, "cores", lambda: 2)

    @pytest.mark.usefixtures("many")
    def test_are_to_wait_politely_and_to_keep_within_the_quota(self):
        assert threads.wishes() == {"GOMP_SPINCOUNT": "1000", "OMP_NUM_THREADS": "2"}

    def test_say_nothing_of_threads_where_there_is_no_quota(self, monkeypatch):
        monkeypatch.setattr(threads, "_processors", lambda: 2)
        assert threads.wishes() == {"GOMP_SPINCOUNT": "1000"}

    @pytest.mark.usefixtures("many")
    @pytest.mark.parametrize("name", [threads.SPINS[0], threads.POLICY])
    def test_leave_what_the_user_says(self, name, monkeypatch):
        monkeypatch.setenv(name, "5")
        monkeypatch.setenv(threads.THREADS, "7")
        assert threads.wishes() == {}

    def test_of_a_worker_are_its_threads(self, monkeypatch):
        monkeypatch.setenv(threads.THREADS, "7")
        assert threads.wishes(3) == {"GOMP_SPINCOUNT": "1000", "OMP_NUM_THREADS": "3"}


def test_the_program_settles_before_it_imports_torch():
    program = """
import os, sys
from dreaming import __main__; from dreaming.system import threads
kept = []
threads.keep_memory = lambda: kept.append("torch" in sys.modules)
sys.modules["dreaming.cli.main"] = cli = type(sys)("dreaming.cli.main")
cli.STOPPED, cli.main = 3, lambda: 0
import dreaming
dreaming.cli.main = cli
__main__.main()
print(kept, os.environ["GOMP_SPINCOUNT"])
"""
    unsaid = (threads.SPINS[0], threads.POLICY)
    environment = {name: value for name, value in os.environ.items() if name not in unsaid}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[False] 1000\n"


def test_a_library_call_changes_nothing_of_the_process(monkeypatch, tmp_path):
    monkeypatch.setattr(threads.ctypes, "CDLL", None)  # by which alone the C library would be told
    names = (threads.SPINS[0], threads.POLICY, threads.THREADS)
    before = [os.environ.get(name) for name in names]
    dreaming.train(dreaming.configure("pad", **TINY), out=tmp_path)
    assert [os.environ.get(name) for name in names] == before
