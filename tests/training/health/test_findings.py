"""Each finding made on purpose, and none where all is well: judgements of losses, weights and latents."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dreaming.errors import UserError
from dreaming.model.conditions import condition, conditions
from dreaming.model.phases import REM, Wake
from dreaming.model.plasticity import Plasticity
from dreaming.runs import findings
from dreaming.runs.findings import COLLAPSED, DEAD, NOT_FINITE, WON, Finding
from dreaming.runs.folder import RunFolder
from dreaming.training import health

PAD = condition("pad")
SOUND = {
    "wake.image": 0.1,
    "wake.kl": 0.05,
    "wake.externality": 0.6,
    "nrem.latent": 0.2,
    "rem.externality": 0.7,
}


def kinds(found):
    return [(finding.phase, finding.term, finding.kind) for finding in found]


def latents(n=256, z=8, seed=0):
    return torch.randn(n, z, generator=torch.Generator().manual_seed(seed))


class TestLosses:
    def test_sound_ones_are_left_in_peace(self):
        assert health.of_losses(1, SOUND, PAD) == []

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("name", SOUND)
    def test_what_is_not_finite_is_named_with_its_phase(self, name, value):
        (found,) = health.of_losses(4, {**SOUND, name: value}, PAD)
        assert (found.epoch, f"{found.phase}.{found.term}", found.kind) == (4, name, NOT_FINITE)
        assert repr(found.value) == repr(value)

    @pytest.mark.parametrize("share", [0.5, 0.99])
    def test_a_discriminator_certain_in_both_has_won(self, share):
        limit = health.CERTAIN_BELOW
        certain = {**SOUND, "wake.externality": share * limit, "rem.externality": 0.1 * limit}
        assert health.of_losses(2, certain, PAD) == [Finding(2, "rem", "externality", WON, share * limit)]

    @pytest.mark.parametrize("doubts", ["wake.externality", "rem.externality"])
    def test_one_that_doubts_in_either_has_not(self, doubts):
        means = {**SOUND, "wake.externality": 0.0, "rem.externality": 0.0, doubts: health.CERTAIN_BELOW}
        assert health.of_losses(2, means, PAD) == []

    def test_lost_numbers_are_no_victory(self):
        lost = {**SOUND, "wake.externality": 0.0, "rem.externality": math.nan}
        assert kinds(health.of_losses(1, lost, PAD)) == [("rem", "externality", NOT_FINITE)]

    @pytest.mark.parametrize("name", ["wake_only", "without_rem", "untrained"])
    def test_there_is_none_to_win_without_rem(self, name):
        certain = {**SOUND, "wake.externality": 0.0, "rem.externality": 0.0}
        assert health.of_losses(1, certain, condition(name)) == []

    def test_there_is_none_to_win_against_a_generator_that_does_not_fight(self):
        class Ally(REM):
            plasticity = Plasticity(encoder=+1, generator=+1)

        certain = {"wake.externality": 0.0, "ally.externality": 0.0}
        assert health.of_losses(1, certain, (Wake(), Ally(name="ally"))) == []
        assert health.of_losses(1, certain, (Wake(), REM(name="ally"))) != []

    @given(st.floats(1e-6, 30))
    def test_the_slope_that_the_generator_learns_from_is_below_the_loss(self, loss):
        """What the threshold rests on: d, the slope of eq. 8 by the logit, is at most -log(1 - d)."""
        assert -math.expm1(-loss) <= loss


class TestWeights:
    def test_the_first_that_is_lost_is_named(self):
        weights = {"a": torch.zeros(3), "b": torch.tensor([0.0, torch.nan]), "c": torch.tensor(torch.inf)}
        (found,) = health.of_weights(3, weights)
        assert (found.term, found.kind, math.isnan(found.value)) == ("b", NOT_FINITE, True)
        assert health.of_weights(3, {"a": weights["a"]}) == []


class TestLatents:
    @pytest.mark.parametrize("scale", [1e-5, 1.0, 1e4])
    def test_live_ones_are_left_in_peace_at_any_scale(self, scale):
        assert health.of_latents(1, 3 + scale * latents().double()) == []

    @pytest.mark.parametrize("count", [1, 3, 7])
    def test_dead_ones_are_counted(self, count):
        z = latents()
        z[:, :count] = 5 + 0.001 * z[:, :count]
        found = [each for each in health.of_latents(1, z) if each.kind == DEAD]
        assert [each.value for each in found] == [count / 8]
        assert found[0].in_words(8).startswith(f"dead latents: {count} of 8")

    def test_a_latent_of_a_thousandth_of_the_variance_is_alive(self):
        z = latents()
        z[:, 0] *= 0.001**0.5
        assert health.of_latents(1, z) == []

    def test_one_point_is_a_collapse_and_no_latent_is_called_dead(self):
        assert kinds(health.of_latents(1, torch.ones(256, 8))) == [("cortex", "spread", COLLAPSED)]
        assert kinds(health.of_latents(1, 1e-7 * latents())) == [("cortex", "spread", COLLAPSED)]

    def test_one_line_is_a_collapse(self):
        line = latents(z=1) * torch.linspace(0.5, 1, 8)
        (found,) = health.of_latents(1, line + 0.005 * latents())
        assert (found.term, found.kind) == ("dimension", COLLAPSED)
        assert 1 <= found.value < health.DIMENSION_BELOW

    def test_a_line_with_a_little_beside_it_is_none(self):
        line = latents(z=1) * torch.linspace(0.5, 1, 8)
        assert health.of_latents(1, line + 0.1 * latents(seed=1)) == []

    @pytest.mark.parametrize("shape", [(1, 8), (2, 8), (256, 1)])
    def test_where_the_dimension_cannot_be_but_1_it_is_not_judged(self, shape):
        assert health.of_latents(1, latents(*shape)) == []

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_lost_ones_are_told_of_and_nothing_else(self, value):
        z = torch.ones(256, 8)
        z[3, 2] = value
        assert kinds(health.of_latents(1, z)) == [("cortex", "latents", NOT_FINITE)]

    @pytest.mark.parametrize("name", conditions())
    def test_an_untrained_cortex_is_well(self, name, tiny_config, tiny_dataset):
        config = tiny_config(name)
        z = health.watched_latents(config.networks.build(0), tiny_dataset.train.images)
        assert health.of_latents(0, z) == []

    @given(st.integers(2, 8), st.integers(0, 10**6))
    def test_the_effective_dimension_is_that_of_the_eigenvalues(self, z, seed):
        values = latents(40, z, seed).double() * torch.linspace(0.1, 1, z)
        eigenvalues = torch.linalg.eigvalsh(torch.cov(values.T))
        wanted = eigenvalues.sum() ** 2 / eigenvalues.square().sum()
        assert health.effective_dimension(values) == pytest.approx(float(wanted), rel=1e-9)


class TestRecord:
    FOUND = (
        Finding(1, "cortex", "latents", DEAD, 1 / 3),
        Finding(2, "wake", "kl", NOT_FINITE, math.inf),
        Finding(2, "nrem", "latent", NOT_FINITE, math.nan),
    )

    def test_it_comes_back_to_the_last_bit(self, tmp_path):
        folder = RunFolder(tmp_path)
        assert findings.so_far(folder) == []
        findings.write_all(folder, [])
        assert list(tmp_path.iterdir()) == []
        findings.write_all(folder, self.FOUND)
        assert repr(findings.so_far(folder)) == repr(list(self.FOUND))
        assert findings.so_far(folder, 1) == [self.FOUND[0]]
        lines = folder.findings.read_text().splitlines()
        assert lines[0] == "epoch,phase,term,finding,value"
        assert lines[3] == "2,nrem,latent,not finite,nan"

    def test_what_is_gone_is_taken_out(self, tmp_path):
        folder = RunFolder(tmp_path)
        findings.write_all(folder, self.FOUND)
        findings.write_all(folder, [])
        assert findings.so_far(folder) == []

    @pytest.mark.parametrize(
        "row", [",cortex,latents,dead latents,0.5", "one,cortex,latents,dead latents,0.5"]
    )
    def test_a_row_without_its_epoch_is_refused(self, row, tmp_path):
        folder = RunFolder(tmp_path)
        folder.findings.write_text(f"epoch,phase,term,finding,value\n{row}\n")
        with pytest.raises(UserError, match=r"findings\.csv is damaged"):
            findings.so_far(folder)

    def test_what_changed_is_news_and_what_lasts_is_not(self):
        old, new = ([Finding(e, "cortex", "latents", DEAD, e / 8)] for e in (1, 2))
        assert findings.news([], old, 8) == ["dead latents: 1 of 8 (12 %)"]
        assert findings.news(old, new, 8) == []
        assert findings.news(new, [], 8) == ["no more dead latents: latents"]
