"""Faults made on purpose, and what becomes of the results; each function makes one kind, so many times.

Each returns a row of the report, and asserts what is promised: after the fault, the same commands come to the very
results of a run that nothing disturbed, or say in one sentence what is wrong.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.tiny_runs import results
from tests.robustness.faults.power import Disk
from tests.robustness.faults.victims import RUN, TRAIN, leftovers, outcome

from dreaming.cli.main import main
from dreaming.runs.folder import RunFolder

GIVE_UP = 400  # commands given in vain


def undisturbed(victims, out):
    """Train and measure without any fault; return the outcome and the seconds that each command took."""
    seconds = []
    for command in (victims.train, victims.measure):
        begun = time.monotonic()
        assert command(out).status == 0
        seconds.append(time.monotonic() - begun)
    return outcome(out), seconds


def same(out, wanted):
    """Assert that a run has come to what was wanted."""
    found = outcome(out)
    different = sorted(name for name in wanted.keys() | found.keys() if found.get(name) != wanted.get(name))
    assert not different, f"other than undisturbed: {different}"


def struck_at_random(victims, out, wanted, seconds, strikes, number, seed):
    """Strike training and measuring with a signal at random moments until there were enough strikes.

    Runs are done one after another; each is struck again and again until it comes to its end.
    """
    draw, given, struck, runs, within_writes = random.Random(seed), 0, 0, 0, 0
    # A signal that comes before anybody listens ends a process as it does any other: nothing was begun.
    allowed = {0, -number} if number == signal.SIGKILL else {0, 3, -number}
    while struck < strikes:
        runs += 1
        here = out / f"run-{runs}"
        for command, length in zip((victims.train, victims.measure), seconds, strict=True):
            status = None
            while status != 0:
                # Moments over the whole command, but most of them early in it, where work is done anew.
                after = length * draw.random() ** 2
                ending = command(here, after=after, signal=int(number))
                status = ending.status
                assert status in allowed, ending.said
                assert "Traceback" not in ending.said
                given += 1
                struck += ending.struck and status != 0
                within_writes += bool(list(here.rglob("*.part")))
                assert given < GIVE_UP + 10 * strikes, "it does not come to its end"
        same(here, wanted)
        shutil.rmtree(here)
    return {"strikes": struck, "runs": runs, "commands": given, "left a part of a file": within_writes}


def struck_at_points(victims, out, wanted, how, points):
    """Die, or fail, at given points of what a training does on the disk; then give the command again."""
    refused = 0
    for point in points:
        here = out / f"{how}-{point}"
        ending = victims.train(here, at=point, how=how)
        if how == "KILL":
            assert ending.status == -signal.SIGKILL, ending.said
        elif ending.status:  # a link that fails is made up for by a copy, and nothing is to be said
            assert ending.status == 2, ending.said
            last = ending.said.splitlines()[-1]
            assert last.startswith("dreaming: cannot write"), ending.said
            assert "Traceback" not in ending.said
            assert not leftovers(here)
            refused += 1
        for command in (victims.train, victims.measure):
            ending = command(here)
            assert ending.status == 0, ending.said
        same(here, wanted)
        shutil.rmtree(here)
    return {"strikes": len(points), "refused in a sentence": refused}


def points_of(victims, out):
    """Count the points of a training's work on the disk."""
    said = victims.train(out, at=0, how="KILL").said
    return int(said.rpartition("points ")[2])


def clock_that_jumps(victims, out, wanted, times, seed):
    """Train and measure while the time of day leaps."""
    for number in range(times):
        here = out / f"clock-{number}"
        for command in (victims.train, victims.measure):
            ending = command(here, clock=seed + number)
            assert ending.status == 0, ending.said
        same(here, wanted)
        assert (RunFolder(here / RUN).read_losses()["seconds"] >= 0).all()
        shutil.rmtree(here)
    return {"strikes": times}


def power_cuts(out, wanted, share, seed):
    """Cut the power at moments of a training, with different luck; go on from what is left on the disk.

    Parameters
    ----------
    share
        Of the moments that are tried; each with no, half and all luck.
    """
    words = [str(word) for word in TRAIN]
    root = out / "whole"
    with Disk(root) as disk:
        assert main([*words, "--out", str(root)]) == 0
    draw, cuts = random.Random(seed), 0
    for moment in range(len(disk.moments)):
        for lucky in (0.0, 0.5, 1.0):
            if draw.random() >= share:
                continue
            here = out / f"cut-{moment}-{lucky}"
            here.mkdir()
            disk.cut(moment, lucky, draw.random(), here)
            assert main([*words, "--out", str(here)]) == 0
            found = results(here / RUN)
            assert found == {name: wanted[name] for name in found}, f"moment {moment}, luck {lucky}"
            assert found.keys() == results(root / RUN).keys()
            shutil.rmtree(here)
            cuts += 1
    return {"strikes": cuts, "moments": len(disk.moments)}


def two_at_once(victims, out, wanted):
    """Start a second process on a folder that one works on; then kill that one, and start again."""
    command = [sys.executable, "-m", "dreaming", *TRAIN, "--out", str(out)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_alone())
    while not (out / RUN / ".lock").exists() or not (out / RUN / "config.yaml").exists():
        assert first.poll() is None
        time.sleep(0.001)
    os.kill(first.pid, signal.SIGSTOP)  # it works on, as slowly as can be
    ending = victims.train(out)
    assert ending.status == 2, ending.said
    assert f"process {first.pid} on" in ending.said, ending.said
    assert "is training there since" in ending.said
    assert ending.said.count("\n") == 1
    assert victims.measure(out).status == 2  # not held up, and there is nothing to measure yet
    first.kill()
    first.wait()
    assert (out / RUN / ".lock").exists()  # it died with it
    for command in (victims.train, victims.measure):
        assert command(out).status == 0
    same(out, wanted)
    return {"strikes": 1}


def damaged_files(victims, out, wanted, times, seed):
    """Damage a file of a finished, measured run in a random way, then train on and measure it.

    Texts are a person's to change, so that one which still says something is read as it stands.
    """
    whole, draw = out / "whole", random.Random(seed)
    undisturbed(victims, whole)
    other = out / "other"
    assert victims(*TRAIN, "--seed", 1, "--out", other).status == 0
    repaired = refused = read = 0
    for number in range(times):
        here = Path(shutil.copytree(whole, out / f"damage-{number}"))
        file = draw.choice(sorted(path for path in (here / RUN).rglob("*") if path.is_file()))
        _damage(file, other / "digits/pad/seed-1" / file.relative_to(here / RUN), draw)
        endings = [victims.train(here), victims.measure(here)]
        for ending in endings:
            assert ending.status in (0, 2), ending.said
            assert "Traceback" not in ending.said
            if ending.status == 2:
                assert ending.said.splitlines()[-1].startswith("dreaming: "), ending.said
                assert any(name in ending.said for name in (file.name, *OTHER)), (file, ending.said)
        if any(ending.status == 2 for ending in endings):
            refused += 1
        elif file.suffix in (".safetensors", ".png"):
            _nobody_takes(file, whole / RUN / file.relative_to(here / RUN), victims)
            same(here, wanted)
            repaired += 1
        else:
            read += 1
        shutil.rmtree(here)
    return {
        **{"strikes": times, "repaired or harmless": repaired},
        **{"refused in a sentence": refused, "read as they stand": read},
    }


OTHER = ("another run", "another config", "other images")
"""What is said of a file that is whole and another's."""


def _nobody_takes(file, good, victims):
    """A damaged snapshot or sheet that nothing has needed since is refused, and no other is changed."""
    if file.parent.name == "snapshots" and (not file.exists() or file.read_bytes() != good.read_bytes()):
        ending = victims("dream", file.parents[1], f"--epoch={int(file.stem)}", "--count=4")
        assert ending.status == 2, ending.said
        assert file.stem in ending.said, ending.said
    if file.parent.name in ("snapshots", "dreams"):
        shutil.copy(good, file)


def _damage(file, others, draw):
    content = file.read_bytes()
    how = draw.choice(["cut", "emptied", "flipped", "flipped", "removed", "another's"])
    place = draw.randrange(max(1, len(content)))
    if how == "cut":
        file.write_bytes(content[:place])
    elif how == "emptied":
        file.write_bytes(b"")
    elif how == "flipped":
        file.write_bytes(
            content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]
        )
    elif how == "removed" or not others.exists():
        file.unlink()
    else:
        shutil.copy(others, file)


PROFILE = """base: demo
datasets: [digits]
seeds: 2
epochs: 2
long_epochs: 2
limit: 64
samples: 50
figures: [figure-4]
settings: [networks.base_channels=2, networks.latent_dim=8, networks.image_channels=1,
           training.batch_size=32, training.precision=float32]
"""


def reproduce_with_a_killed_worker(out, times, seed):
    """Kill one of the workers of `dreaming reproduce`, or all of it, and give the command again."""
    profile, draw = out / "tiny.yaml", random.Random(seed)
    profile.write_text(PROFILE)

    def command(here):
        words = (
            "reproduce",
            "--profile",
            str(profile),
            "--workers",
            "2",
            "--out",
            str(here),
            "--device",
            "cpu",
        )
        return subprocess.Popen(
            [sys.executable, "-m", "dreaming", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**_alone(), "DREAMING_CACHE": str(out / "cache")},
        )

    begun = time.monotonic()
    assert command(out / "whole").wait() == 0
    length, killed, commands = time.monotonic() - begun, 0, 0
    wanted = _reproduced(out / "whole")
    for number in range(times):
        here = out / f"reproduction-{number}"
        status = None
        while status != 0:
            process = command(here)
            commands += 1
            if killed <= number:
                killed += _kill_somebody(process, length, draw)
            said = process.communicate()[0]
            status = process.returncode
            assert status in (0, 2, -signal.SIGKILL), said
            assert "Traceback" not in said, said
            assert commands < GIVE_UP
        assert _reproduced(here) == wanted
        shutil.rmtree(here)
    return {"strikes": killed, "commands": commands}


def _kill_somebody(process, length, draw):
    """Kill a worker while there are some, at a random moment, or the parent; tell whether anybody was there."""
    until = time.monotonic() + draw.uniform(0.2, 0.7) * length
    while time.monotonic() < until and process.poll() is None:
        time.sleep(0.05)
    workers = [pid for pid in _children(process.pid) if "popen_loky" in _command(pid)]
    victim = (
        draw.choice([*workers, process.pid]) if draw.random() < 0.5 or not workers else draw.choice(workers)
    )
    if process.poll() is not None:
        return 0
    os.kill(victim, signal.SIGKILL)
    return 1


def _children(pid):
    text = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in text.read_text().split()] if text.exists() else []


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _reproduced(place):
    """All that a reproduction came to but for times."""
    tables = ("numbers.csv", "claims.csv", "figures/figure-4.csv")
    runs = sorted(path.parent for path in (place / "runs").rglob("losses.csv"))
    found = {name: (place / name).read_bytes() for name in tables}
    for run in runs:
        name = run.relative_to(place).as_posix()
        found[name] = {**results(run), "measures.csv": (run / "measures.csv").read_bytes()}
    return found


def _alone():
    return {**os.environ, "OMP_NUM_THREADS": "1"}
