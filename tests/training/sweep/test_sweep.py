"""Sweeps: tables, ids, order, resuming, statistics, report. The runner is a stand-in."""

from __future__ import annotations

import contextlib
import errno
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from neuript.errors import NeuriptError
from neuript.locks import locked
from neuript.training.fitting.metrics import balanced_accuracy
from neuript.training.sweep.canonical import config_id, merged, plain
from neuript.training.sweep.jobs import make_plan
from neuript.training.sweep.markdown import tabulate
from neuript.training.sweep.request import read_plan, write_request
from neuript.training.sweep.results_folder import ResultsFolder
from neuript.training.sweep.statistics import interaction, over_runs, over_subjects, paired, sum_over_subjects
from neuript.training.sweep.sweep_tables import available_tables, load_sweep, refuse_unused, restrict
from neuript.training.sweep.worker import work

TABLE = """
defaults:
  size: micro
  model: {}
  pretrain: {steps: 10}
  evaluate: {svm: {n_train: 5}, finetune: {n_epochs: 2}}
tables:
  mine:
    title: Mine
    reference: a
    paper: {a: amplitude}
    paper_tables: {finetune: [10]}
    interactions: {both: [b, a, mean, scratch]}
    settings:
      a: {pretrain: {spec: {masking: amplitude}}}
      b: {pretrain: {spec: {masking: spans}}}
      mean: {pretrain: {spec: {masking: amplitude}}, model: {pooling: mean}, evaluate: {svm: null}}
      scratch: {pretrain: null}
"""


@pytest.fixture
def sweep(tmp_path):
    (tmp_path / "t.yaml").write_text(TABLE)
    return load_sweep(f"{tmp_path / 't.yaml'}#mine")


@pytest.fixture
def plan(sweep):
    return make_plan(sweep, data=["mental-arithmetic", "two"], seeds=[0, 1], corpus="c0")


class Stand:
    """A runner whose results are known; it notes what was asked for."""

    def __init__(self, fail=()):
        self.done, self.fail = [], fail

    def __call__(self, job, folder, needs, say):
        for need in needs.values():
            assert (need / "done.json").exists()
        if job.label in self.fail:
            raise NeuriptError("no such thing")
        self.done.append(job.label)
        if job.kind == "pretrain":
            yield {"loss": 1.0}
            return
        hits = 3 + job.config["seed"] + 2 * (job.label.startswith("b"))
        table = [[hits, 10 - hits], [0, 10]]
        yield {
            "metrics": {"balanced_accuracy": (hits / 10 + 1) / 2, "kappa": 0.5, "auroc": 0.9 - hits / 100},
            "subjects": {"s1": table, "s2": table},
        }


# --- ids and merging


def test_one_configuration_has_one_id_however_it_is_written():
    a = {"x": 1, "spec": {"ratios": (0.5, 1.0)}, "on": True}
    b = {"on": True, "spec": {"ratios": [0.5, 1]}, "x": 1.0}
    assert config_id(a) == config_id(b)
    assert config_id({"x": 1}) != config_id({"x": True})
    assert config_id({"x": None}) != config_id({})
    assert config_id({"x": "1"}) != config_id({"x": 1})
    with pytest.raises(ValueError, match="nan"):
        plain({"x": math.nan})


def test_the_id_does_not_change_between_versions_of_python_or_neuript():
    """Results on disk are found again by it."""
    import hashlib

    text = 'neuript-sweep-1:{"a":[1,2.5],"b":{"c":null,"d":"e"}}'
    expected = hashlib.sha256(text.encode()).hexdigest()[:12]
    assert config_id({"b": {"d": "e", "c": None}, "a": [1, 2.5]}) == expected


def test_null_switches_a_part_off_and_a_later_mapping_on_again():
    base = {"pretrain": {"steps": 10, "spec": {"span": 1}}, "size": "micro"}
    assert merged(base, {"pretrain": None}) == {"pretrain": None, "size": "micro"}
    again = merged(base, {"pretrain": None}, {"pretrain": {"spec": {"ratios": [0.5]}}})
    assert again["pretrain"] == {"steps": 10, "spec": {"span": 1, "ratios": [0.5]}}
    assert base["pretrain"]["spec"] == {"span": 1}


# --- tables


@pytest.mark.parametrize("name", sorted(available_tables()))
def test_tables_that_come_with_neuript_are_whole(name):
    from neuript.network.config import preset
    from neuript.training.evaluate.paper import reported

    sweep = load_sweep(name)
    assert sweep.reference in sweep.settings
    for setting in sweep.settings.values():
        preset(setting["size"], n_outputs=2, **setting["model"])
    for kind, tables in sweep.paper_tables.items():
        assert kind in ("svm", "finetune")
        for label in sweep.paper.values():
            assert reported(table=tables, setting=label)
    plan = make_plan(sweep, data=["d"], seeds=[0], corpus="c")
    assert len({cell.job_id for cell in plan.cells}) == len(plan.cells), "two rows are the same run"


def test_the_issue_names_these_tables():
    expected = "masking ratio span experts positions pooling activation components scale width"
    assert set(available_tables()) >= {*expected.split(), "montage-change"}


def test_experts_and_masks_are_those_of_the_paper():
    experts = {k: v["model"]["experts"] for k, v in load_sweep("experts").settings.items()}
    assert experts["progressive"] == [0, 0, 2, 4, 4, 6]
    assert experts["shrinking"] == [6, 4, 4, 4, 0, 0]
    spans = load_sweep("masking").settings
    assert [spans[f"span {s}"]["pretrain"]["spec"]["span"] for s in (1, 4, 16, 64)] == [1, 4, 16, 64]
    budgets = {
        (s["pretrain"]["steps"], s["pretrain"]["batch_size"], *s["pretrain"]["spec"]["ratios"])
        for s in spans.values()
        if s["pretrain"]
    }
    assert len(budgets) == 1, "the settings have different budgets"


def test_overrides_reach_only_what_is_switched_on(tmp_path):
    (tmp_path / "t.yaml").write_text(TABLE)
    overrides = {"pretrain": {"steps": 99}, "evaluate": {"svm": {"n_train": 7}}, "size": "tiny"}
    sweep = load_sweep(f"{tmp_path / 't.yaml'}#mine", overrides)
    assert sweep.settings["a"]["pretrain"]["steps"] == 99
    assert sweep.settings["scratch"]["pretrain"] is None
    assert sweep.settings["a"]["evaluate"]["svm"] == {"n_train": 7}
    assert sweep.settings["mean"]["evaluate"]["svm"] is None
    assert {s["size"] for s in sweep.settings.values()} == {"tiny"}


def test_overrides_that_reach_no_setting_are_refused(tmp_path):
    (tmp_path / "t.yaml").write_text(TABLE)
    overrides = {"pretrain": {"steps": 99}, "evaluate": {"svm": {"n_train": 7}}, "size": "tiny"}
    sweep = load_sweep(f"{tmp_path / 't.yaml'}#mine", overrides)
    refuse_unused(sweep, overrides)
    alone = replace(sweep, settings={"scratch": sweep.settings["scratch"]})
    with pytest.raises(NeuriptError, match=r"mine: pretrain.steps would change nothing.* scratch has pretrain"):
        refuse_unused(alone, overrides)
    with pytest.raises(NeuriptError, match=r"evaluate\.transfer\.target\.n_epochs would"):
        refuse_unused(sweep, {"evaluate": {"transfer": {"target": {"n_epochs": 2}}}})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reference: a", "reference: z", "'z' is not one of its settings"),
        ("title: Mine", "titel: Mine", "titel is not understood"),
        ("size: micro", "sice: micro", "sice is not understood"),
        ("svm: {n_train: 5}", "svn: {}", "no evaluation 'svn'"),
        ("{steps: 10}", "{steps: 10, max_lr: 1e-3}", "1e-3 as a word"),
        ("      scratch:", "      from, scratch:", "comma"),
        ("[b, a, mean, scratch]", "[b, a, mean]", r"interaction 'both' is \['b', 'a', 'mean'\]; it must name four"),
        ("[b, a, mean, scratch]", "[b, a, mean, z]", "must name four of the settings"),
        ("tables:", "tables: [", "not valid YAML"),
    ],
)
def test_a_wrong_table_is_refused_with_its_reason(tmp_path, old, new, message):
    (tmp_path / "t.yaml").write_text(TABLE.replace(old, new, 1))
    with pytest.raises(NeuriptError, match=message):
        load_sweep(f"{tmp_path / 't.yaml'}#mine")


def test_unknown_names_are_refused():
    with pytest.raises(NeuriptError, match="no sweep 'maskin'"):
        load_sweep("maskin")
    with pytest.raises(NeuriptError, match="no setting 'x'"):
        restrict(load_sweep("masking"), ["x"])
    assert list(restrict(load_sweep("masking"), ["span 4"]).settings) == ["amplitude", "span 4"]
    fewer = restrict(load_sweep("fewer-channels"), ["learned_1d", "3d from scratch", "learned_1d from scratch"])
    assert list(fewer.interactions) == ["pretraining x 3D (not learned)"]


# --- plans


def test_seed_after_seed_and_needs_before_what_needs_them(plan):
    seeds = [job.config["seed"] for job in plan.jobs]
    assert seeds == sorted(seeds)
    seen = set()
    for job in plan.jobs:
        assert set(job.needs) <= seen
        seen.add(job.id)


def test_settings_that_differ_in_the_head_share_the_pretraining(plan):
    pretrained = [job for job in plan.jobs if job.kind == "pretrain"]
    assert len(pretrained) == 2 * 2  # a (with mean) and b, two seeds
    by_setting = {c.setting: c.job_id for c in plan.cells if c.kind == "finetune" and c.seed == 0}
    needs = {job.id: job.needs for job in plan.jobs}
    assert needs[by_setting["a"]] == needs[by_setting["mean"]] != needs[by_setting["b"]]
    assert needs[by_setting["scratch"]] == ()


def test_the_corpus_is_part_of_the_id_also_downstream(sweep, plan):
    other = make_plan(sweep, data=["mental-arithmetic", "two"], seeds=[0, 1], corpus="c1")
    same = {job.label for job in plan.jobs if job.id in {o.id for o in other.jobs}}
    assert same
    assert all(label.startswith("scratch") for label in same)


def test_a_plan_without_what_it_needs_is_refused(sweep):
    with pytest.raises(NeuriptError, match="name a corpus"):
        make_plan(sweep, data=["d"], seeds=[0])
    with pytest.raises(NeuriptError, match="at least one data set"):
        make_plan(sweep, data=[], seeds=[0], corpus="c")
    with pytest.raises(NeuriptError, match="named twice"):
        make_plan(sweep, data=["d"], seeds=[0, 0], corpus="c")


# --- running and resuming


def test_everything_is_done_once_in_order(plan, tmp_path):
    store, runner = ResultsFolder(tmp_path / "out"), Stand()
    assert work(plan, store, runner) == {"done": len(plan.jobs)}
    assert runner.done == [job.label for job in plan.jobs]
    again = Stand()
    work(plan, store, again)
    assert again.done == []
    config = json.loads((store.folder(plan.jobs[0].id) / "config.json").read_text())
    assert config_id(config["config"]) == plan.jobs[0].id


def test_stopped_in_the_middle_it_goes_on_with_that_job(plan, tmp_path):
    store = ResultsFolder(tmp_path / "out")

    class Stopped(Stand):
        def __call__(self, job, folder, needs, say):
            if len(self.done) == 4:
                yield {"metrics": {"balanced_accuracy": 0.0}}  # half a result, then the kill
                raise KeyboardInterrupt
            yield from super().__call__(job, folder, needs, say)

    with pytest.raises(KeyboardInterrupt):
        work(plan, store, Stopped())
    stopped = plan.jobs[4]
    assert store.state(stopped.id) == "started"
    assert store.results(stopped.id) == []
    runner = Stand()
    work(plan, store, runner)
    assert runner.done == [job.label for job in plan.jobs[4:]]
    assert len(store.results(stopped.id)) == 1


def test_a_failure_stops_only_what_depends_on_it(plan, tmp_path):
    store = ResultsFolder(tmp_path / "out")
    failing = next(job for job in plan.jobs if job.kind == "pretrain")
    states = work(plan, store, Stand(fail=[failing.label]))
    dependents = [job for job in plan.jobs if failing.id in job.needs]
    assert states == {"failed": 1, "waiting": len(dependents), "done": len(plan.jobs) - 1 - len(dependents)}
    assert store.failure(failing.id) == "no such thing"
    assert "no such thing" in tabulate(plan, store)
    store.forget_failure(failing.id)
    assert work(plan, store, Stand()) == {"done": len(plan.jobs)}


def test_a_full_disk_stops_the_sweep_and_is_no_failure_of_the_job(plan, tmp_path):
    def full(job, folder, needs, say):
        raise OSError(errno.ENOSPC, "No space left on device")

    store = ResultsFolder(tmp_path / "out")
    with pytest.raises(NeuriptError, match=r"No space left.*goes on"):
        work(plan, store, full)
    assert store.state(plan.jobs[0].id) == "started"
    assert work(plan, store, Stand()) == {"done": len(plan.jobs)}


def test_a_changed_configuration_is_refused(plan, tmp_path):
    store = ResultsFolder(tmp_path / "out")
    job = plan.jobs[0]
    path = store.begin(job) / "config.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 5'))
    with pytest.raises(NeuriptError, match="changed by hand"):
        store.begin(job)


def test_a_job_in_other_hands_is_waited_for(plan, tmp_path):
    store, runner, waits = ResultsFolder(tmp_path / "out"), Stand(), []
    first = plan.jobs[0]
    other = contextlib.ExitStack()
    assert other.enter_context(locked(store.lock(first.id)))

    def wait(seconds):
        waits.append(seconds)
        assert store.state(first.id) == "running"
        store.begin(first)
        store.finish(first.id, 1.0)  # the other worker is done
        other.close()

    assert work(plan, store, runner, wait=wait) == {"done": len(plan.jobs)}
    assert len(waits) == 1
    assert first.label not in runner.done
    assert runner.done[0].startswith("b"), "what does not depend on it was not done meanwhile"


# --- statistics


def test_student_interval_is_scipys():
    values = [61.0, 64.0, 66.5, 59.0]
    estimate = over_runs(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert estimate.mean == pytest.approx(np.mean(values))
    assert (estimate.low, estimate.high) == pytest.approx((low, high))
    assert math.isnan(over_runs([1.0]).low)
    assert math.isnan(over_runs([]).mean)


def test_paired_uses_only_common_seeds():
    estimate = paired({0: 5.0, 1: 7.0, 2: 100.0}, {0: 4.0, 1: 5.0, 3: 0.0})
    assert (estimate.mean, estimate.n) == (1.5, 2)
    low, high = stats.t.interval(0.95, 1, 1.5, stats.sem([1.0, 2.0]))
    assert (estimate.low, estimate.high) == pytest.approx((low, high))


def test_bootstrap_over_subjects_is_that_of_a_slow_loop():
    rng = np.random.default_rng(3)
    runs = [{f"s{i}": rng.integers(0, 20, size=(2, 2)).tolist() for i in range(5)} for _ in range(2)]
    other = [{name: [[9, 1], [2, 8]] for name in run} for run in runs]
    names = sorted(runs[0])
    draws = np.random.default_rng(0).integers(5, size=(200, 5))

    def value(draw):
        def accuracy(run):
            return balanced_accuracy(np.sum([run[names[i]] for i in draw], axis=0))

        pairs = zip(runs, other, strict=True)
        return np.mean([accuracy(run) - accuracy(ref) for run, ref in pairs])

    expected = np.percentile([value(draw) for draw in draws], [2.5, 97.5])
    estimate = over_subjects(runs, other, n_boot=200)
    assert estimate.mean == pytest.approx(value(range(5)))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected))
    assert estimate.n == 5


def test_one_subject_has_no_interval_and_different_ones_cannot_be_compared():
    assert math.isnan(over_subjects([{"a": [[1, 0], [0, 1]]}]).low)
    with pytest.raises(ValueError, match="different subjects"):
        over_subjects([{"a": [[1, 0], [0, 1]]}], [{"b": [[1, 0], [0, 1]]}])


def test_a_difference_of_differences_is_taken_within_each_draw_and_seed():
    rng = np.random.default_rng(4)
    four = [[{f"s{i}": rng.integers(1, 20, size=(2, 2)).tolist() for i in range(5)} for _ in range(2)] for _ in "abcd"]
    names, draws = sorted(four[0][0]), np.random.default_rng(0).integers(5, size=(200, 5))

    def value(draw):
        def mean(runs):
            return np.mean([balanced_accuracy(np.sum([run[names[i]] for i in draw], axis=0)) for run in runs])

        a, b, c, d = map(mean, four)
        return (a - b) - (c - d)

    estimate = sum_over_subjects(list(zip((1.0, -1.0, -1.0, 1.0), four, strict=True)), n_boot=200)
    assert estimate.mean == pytest.approx(value(range(5)))
    expected = np.percentile([value(draw) for draw in draws], [2.5, 97.5])
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected))
    seeds = interaction([{0: 9.0, 1: 8.0, 2: 1.0}, {0: 4.0, 1: 5.0}, {0: 3.0, 1: 3.0}, {0: 2.0, 1: 1.0}])
    assert (seeds.mean, seeds.n) == (2.5, 2)
    low, high = stats.t.interval(0.95, 1, 2.5, stats.sem([4.0, 1.0]))
    assert (seeds.low, seeds.high) == pytest.approx((low, high))


# --- report


def test_the_table_has_means_differences_and_the_papers_number(plan, tmp_path):
    store = ResultsFolder(tmp_path / "out")
    work(plan, store, Stand())
    text = tabulate(plan, store)
    lines = {line.split(" | ")[0].strip("| "): line for line in _section(text, "fine-tuned")}
    # hits 3 and 4 of 10 in class 0: 65 and 70 percent; b two hits more
    assert "| 67.5 [" in lines["a"]
    assert "| 77.5 [" in lines["b"]
    assert "| +10.0 [+10.0, +10.0] | +10.0 [+10.0, +10.0] |" in lines["b"]
    # AUROC 87 and 86; b two points less: a score without a threshold is compared too
    assert "| 86.5 [" in lines["a"]
    assert "| -2.0 [-2.0, -2.0] | 50.0 | – |" in lines["b"]
    assert lines["a"].endswith("| 86.46 (T10) |")
    assert lines["scratch"].endswith("| – |")
    assert "mean" not in {line.split(" | ")[0].strip("| ") for line in _section(text, "SVM")}
    # b is 10 above a, mean and scratch are equal; AUROC b two below, the others equal
    assert lines["both"] == (
        "| both | (b - a) - (mean - scratch) | +10.0 [+10.0, +10.0] | +10.0 [+10.0, +10.0] | -2.0 [-2.0, -2.0] |"
    )
    assert "both" not in {line.split(" | ")[0].strip("| ") for line in _section(text, "SVM")}  # mean has none


def test_the_request_is_enough_for_the_table(plan, tmp_path):
    with pytest.raises(NeuriptError, match="no results of the sweep 'mine'"):
        read_plan(tmp_path, "mine")
    names = ["mental-arithmetic", "two"]
    write_request(tmp_path, "f.yaml#mine", plan, data=names, seeds=[0, 1], corpus="c0")
    assert read_plan(tmp_path, "mine") == plan


def _section(text, word):
    head = next(i for i, line in enumerate(text.splitlines()) if line.startswith("## mental") and word in line)
    lines = text.splitlines()[head + 1 :]
    end = next((i for i, line in enumerate(lines) if line.startswith("## ")), len(lines))
    return [line for line in lines[:end] if line.startswith("| ")]
