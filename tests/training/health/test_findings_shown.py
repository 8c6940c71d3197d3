"""What was found is shown in compare and in the report, as text."""

import pandas as pd
import pytest

from dreaming.evaluation.statistics.comparison import compare
from dreaming.paper.claims.numbers import numbers_table
from dreaming.paper.plan.plan import make_plan
from dreaming.paper.plan.profile import Profile
from dreaming.paper.report import report
from dreaming.paper.tables import Tables
from dreaming.runs import findings
from dreaming.runs.findings import DEAD, WON, Finding
from dreaming.runs.folder import MEASURE_COLUMNS

pytestmark = pytest.mark.usefixtures("without_drawing", "without_plots", "shapes_unchecked")


class TestShown:
    FOUND = (
        Finding(1, "cortex", "latents", DEAD, 0.25),
        Finding(2, "cortex", "latents", DEAD, 0.5),
        Finding(2, "<b>rem", "externality", WON, 0.005),
    )

    def test_in_compare(self, trained, tmp_path):
        folder = trained(out=tmp_path / "runs")
        row = ("digits", "pad", 0, 2, "readout_accuracy", "latent", 0.5)
        folder.write_table(folder.measures, pd.DataFrame([row], columns=list(MEASURE_COLUMNS)))
        nothing = compare([folder.path], tmp_path / "comparison")
        assert nothing.findings == ()
        assert (tmp_path / "comparison/findings.csv").read_text().count("\n") == 1
        findings.write_all(folder, self.FOUND)
        found = compare([folder.path, tmp_path / "runs"], tmp_path / "comparison")
        assert found.findings == (
            "digits/pad/seed-0: dead latents: 4 of 8 (50 %), epochs 1 to 2",
            "digits/pad/seed-0: discriminator won: <b>rem.externality 0.005, epoch 2",
        )
        lines = (tmp_path / "comparison/findings.csv").read_text().splitlines()
        assert lines[0] == "dataset,condition,seed,epoch,phase,term,finding,value"
        assert lines[1:] == [
            "digits,pad,0,1,cortex,latents,dead latents,0.25",
            "digits,pad,0,2,cortex,latents,dead latents,0.5",
            "digits,pad,0,2,<b>rem,externality,discriminator won,0.005",
        ]

    def page(self, folder):
        profile = Profile(name="made-up", datasets=("digits",), seeds=1, epochs=2, long_epochs=2, every=1)
        plan = make_plan(profile, ("table-1",), folder, "cpu")
        empty = Tables(pd.DataFrame())
        return plan, lambda: report(plan, empty, [], numbers_table({}, profile), {})

    def test_in_the_report(self, tmp_path):
        plan, write = self.page(tmp_path)
        assert "What went wrong while cortices learned" not in write()
        findings.write_all(plan.runs[0].folder, self.FOUND)
        page = write()
        head, runs = page.split('<h2 id="runs">')
        assert f"{plan.runs[0].title}</strong>: dead latents: 128 of 256 (50 %), epochs 1 to 2" in head
        assert "1 not sound" in head
        assert "discriminator won: &lt;b&gt;rem.externality 0.005, epoch 2" in runs
        assert "<b>rem" not in page

    def test_a_damaged_record_is_told_of_in_the_report(self, tmp_path):
        plan, write = self.page(tmp_path)
        findings.write_all(plan.runs[0].folder, self.FOUND)
        plan.runs[0].folder.findings.write_text("epoch\n")
        assert "findings.csv is damaged" in write()
