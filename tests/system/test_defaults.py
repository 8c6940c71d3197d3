"""What somebody changed in torch process-wide changes no result, and is as it was after the call."""

from contextlib import ExitStack

import pytest
import torch
from tests.cli.tiny_runs import results

import dreaming
from dreaming.config.description import describe
from dreaming.data import load_dataset
from dreaming.runs.dream_pictures import dream_picture
from dreaming.system.defaults import FAMILIES, PRODUCTS, torch_defaults
from dreaming.training import train_together

pytestmark = [
    pytest.mark.changes_global_state,  # as other libraries do; `changed` takes it back
    pytest.mark.usefixtures("without_drawing", "shapes_unchecked"),
]

CHANGES = {
    "gradients switched off": lambda: torch.set_grad_enabled(False),
    "no_grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "default device": lambda: torch.set_default_device("meta"),
    "device of a block": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu"),
    "deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
    "deterministic, with warnings": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "high products": lambda: torch.set_float32_matmul_precision("high"),
    "medium products": lambda: torch.set_float32_matmul_precision("medium"),
    "products, the newer way": lambda: setattr(torch.backends.cuda.matmul, "fp32_precision", "tf32"),
    "all products": lambda: setattr(torch.backends, "fp32_precision", "tf32"),
    "products by cuDNN": lambda: setattr(torch.backends.cudnn, "fp32_precision", "ieee"),
    "bfloat16 by oneDNN": lambda: setattr(torch.backends.mkldnn.matmul, "fp32_precision", "bf16"),
    "no oneDNN": lambda: setattr(torch.backends.mkldnn, "enabled", False),
    "cuDNN that chooses": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "anomalies": lambda: torch.autograd.set_detect_anomaly(True),
    "no denormals": lambda: torch.set_flush_denormal(True),
}


def said_of_products():
    """How exactly products are computed, as each of the older ways says it."""
    found = []
    for read in (
        torch.get_float32_matmul_precision,
        lambda: torch.backends.cuda.matmul.allow_tf32,
        lambda: torch.backends.cudnn.allow_tf32,
    ):
        try:
            found.append(read())
        except RuntimeError:
            found.append("mixed")
    return found


@pytest.fixture
def state(look_at_global_state):
    """Describes all that is changed here."""
    return lambda: {
        **look_at_global_state(),
        "device": torch.get_default_device(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")),
        "deterministic": torch.get_deterministic_debug_mode(),
        "products": [torch._C._get_fp32_precision_getter(*where) for where in (*FAMILIES, *PRODUCTS)],
        "said of products": said_of_products(),
        "oneDNN": torch.backends.mkldnn.enabled,
        "anomalies": (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        "denormals": float.fromhex("0x1p-1022") / 2 > 0,
    }


@pytest.fixture
def changed():
    """Changes torch as a name says; all is taken back at the end."""
    with ExitStack() as back:
        back.enter_context(torch_defaults())
        back.callback(torch.set_default_device, None)

        def change(name):
            entered = CHANGES[name]()
            if hasattr(entered, "__enter__"):
                back.enter_context(entered)

        yield change


def config(**training):
    return dreaming.configure(
        networks={"base_channels": 2, "latent_dim": 8, "image_channels": 1},
        training={"batch_size": 32, "epochs": 1, "device": "cpu", **training},
        dataset={"limit": 64},
    )


def by_hand(images, random):
    """The weights after a cycle as one writes it in a notebook."""
    with torch_defaults():
        cortex = dreaming.Cortex(8, 2, 1, random=random)
        synapses = dreaming.Synapses(cortex, dreaming.Optimizer())
    phases, days = dreaming.condition("pad"), dreaming.Hippocampus()
    dreaming.sleep_wake_cycle(cortex, synapses, images, days, phases, dreaming.Random(0))
    return [weight.detach().numpy().tobytes() for weight in cortex.parameters()]


def everything(out):
    """All that the library makes of a run: its files, measures and dreams, its cortex, a cycle by hand."""
    images = load_dataset("digits", limit=64).train.images[:8]
    with torch_defaults():
        random = torch.Generator().manual_seed(1)
        activity = images[:, :1] / 127.5 - 1
    run = dreaming.train(config(), out=out)
    quick = ["readout.protocol.epochs=1", "organisation.intra_pairs=10"]
    table = dreaming.evaluate(run, measures="readout,organisation", settings=quick, epochs="last")
    cortex = dreaming.load(run)
    return {
        "files": results(run),
        "measures": table.to_csv(),
        "dreams": dream_picture(run, count=1).content,
        "weights": [(w.dtype, w.device, w.requires_grad) for w in cortex.parameters()],
        "loaded": [weight.detach().numpy().tobytes() for weight in cortex.parameters()],
        "latents": dreaming.latents(run)["latents"].tobytes(),
        "inferred": cortex.infer(images).numpy().tobytes(),
        "fingerprint": dreaming.Dataset.of_arrays("mine", train=images, test=images).fingerprint,
        "cycle": by_hand(activity, random),
        "described": describe(config()).weights,
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What comes out where nobody changed anything."""
    return everything(tmp_path_factory.mktemp("expected"))


@pytest.mark.parametrize("name", CHANGES)
def test_every_call_comes_to_the_same_and_leaves_all_as_it_was(name, changed, state, expected, tmp_path):
    changed(name)
    before = state()
    found = everything(tmp_path)
    assert state() == before
    assert not [what for what in expected if found[what] != expected[what]]


def test_runs_side_by_side_come_to_the_same_too(changed, tmp_path):
    configs = [config().model_copy(update={"seed": seed}) for seed in (0, 1)]
    runs = [train_together(configs, out=tmp_path / "usual")]
    for name in ("gradients switched off", "default dtype", "default device"):
        changed(name)
    runs.append(train_together(configs, out=tmp_path / "changed"))
    for one, other in zip(*runs, strict=True):
        assert results(one) == results(other)


def test_images_of_inference_mode_are_learned_from_and_a_cortex_of_it_is_refused(dataset_of, tmp_path):
    usual = dreaming.train(config(), out=tmp_path / "usual", dataset=dataset_of(64, 10))
    with torch.inference_mode():
        run = dreaming.train(config(), out=tmp_path / "inference", dataset=dataset_of(64, 10))
        images = torch.zeros(8, 1, 32, 32)
        cortex = dreaming.Cortex(8, 2, 1)
    assert results(run) == results(usual)
    assert by_hand(images, torch.Generator().manual_seed(0))
    synapses = dreaming.Synapses(cortex, dreaming.Optimizer())
    phases, days = dreaming.condition("pad"), dreaming.Hippocampus()
    with pytest.raises(dreaming.UserError, match=r"made under torch\.inference_mode, where weights never"):
        dreaming.sleep_wake_cycle(cortex, synapses, images, days, phases, dreaming.Random(0))


@pytest.mark.parametrize("name", ["default dtype", "high products", "no oneDNN", "deterministic algorithms"])
def test_what_is_changed_within_the_block_does_not_outlive_it(name, changed, state):
    before = state()
    with torch_defaults():
        changed(name)
    assert state() == before


@pytest.mark.parametrize("tf32", [True, False])
def test_products_are_as_exact_as_the_run_says_also_in_calls_within(tf32):
    with torch_defaults(tf32=tf32), torch_defaults():
        assert torch.backends.cuda.matmul.allow_tf32 == tf32
        assert torch.backends.cudnn.allow_tf32 == tf32
        assert torch.backends.cudnn.conv.fp32_precision == ("tf32" if tf32 else "ieee")
    with torch_defaults():
        assert not torch.backends.cuda.matmul.allow_tf32
