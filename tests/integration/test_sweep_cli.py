"""`neuript-train sweep` as a command: what it prints, refuses, resumes, and how workers share the work."""

from __future__ import annotations

import subprocess

import fake_corpus
import pytest
from processes import python, running

from neuript.cli.train import sweep as train_sweep
from neuript.errors import NeuriptError
from neuript.training.sweep import runner as real
from neuript.training.sweep.jobs import SweepJob, make_plan
from neuript.training.sweep.request import left_behind, write_request
from neuript.training.sweep.results_folder import ResultsFolder
from neuript.training.sweep.sweep_tables import load_sweep
from neuript.training.sweep.worker import work

WORKER = """
import sys, time
from pathlib import Path
from neuript.training.sweep.request import read_plan
from neuript.training.sweep.results_folder import ResultsFolder
from neuript.training.sweep.worker import work

out = Path(sys.argv[1])

def runner(job, folder, needs, say):
    with (out / "ran").open("a") as file:
        file.write(job.id + "\\n")
    if job.label == sys.argv[2]:
        print("there", flush=True)
        sys.stdin.read()  # until it is killed
    yield {"metrics": {"balanced_accuracy": 0.5}}

work(read_plan(out, "masking"), ResultsFolder(out), runner, wait=lambda s: time.sleep(0.05))
"""


@pytest.fixture
def plan(tmp_path):
    plan = make_plan(load_sweep("masking"), data=["a", "b"], seeds=[0, 1], corpus="c")
    write_request(tmp_path, "masking", plan, data=["a", "b"], seeds=[0, 1], corpus="c")
    return plan


def start(out, hold="-"):
    return running(python(WORKER, out, hold), stdin=subprocess.PIPE)


def test_two_workers_share_the_work_and_do_nothing_twice(tmp_path, plan):
    with start(tmp_path) as one, start(tmp_path) as other:
        assert [w.wait() for w in (one, other)] == [0, 0]
    ran = (tmp_path / "ran").read_text().split()
    assert sorted(ran) == sorted(job.id for job in plan.jobs)


def test_after_sigkill_another_worker_takes_the_job_over(tmp_path, plan):
    held = plan.jobs[3]
    store = ResultsFolder(tmp_path)
    with start(tmp_path, held.label) as worker:
        worker.wait_until_it_says("there")
        assert store.state(held.id) == "running"
        worker.process.kill()
        worker.wait()
    assert store.state(held.id) == "started"
    with start(tmp_path) as worker:
        assert worker.wait() == 0
    ran = (tmp_path / "ran").read_text().split()
    assert ran.count(held.id) == 2
    assert len(ran) == len(plan.jobs) + 1
    assert all(store.is_done(job.id) for job in plan.jobs)


def test_tables_are_listed_and_the_one_without_results_is_refused(capsys, tmp_path):
    assert train_sweep.run([]) == 0
    assert "montage-change" in capsys.readouterr().out
    with pytest.raises(NeuriptError, match="no results of the sweep 'masking'"):
        train_sweep.run(["masking", "--out", str(tmp_path), "--table"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["masking"], "--out DIR is missing"),
        (["nothing", "--out", "o", "--data", "a=b"], "no sweep 'nothing'"),
        (["masking", "--out", "o", "--data", "a"], "must be NAME=DIR"),
        (["masking", "--out", "o", "--data", "a=b", "--data", "a=c"], "names a twice"),
        (["experts", "--out", "o", "--data", "a=b", "--seeds", "x"], "whole numbers"),
        (["experts", "--out", "o", "--data", "a=b", "--set", "x"], "must be KEY=VALUE"),
        (["experts", "--out", "o", "--data", "a=b", "--set", "x=1"], "x is not understood"),
        (["masking", "--out", "o", "--data", "a=b"], "name a corpus"),
        (["experts", "--out", "o"], "at least one data set"),
        (["experts", "--out", "o", "--data", "a=b", "--workers", "0"], "must be 1 or more"),
        (["experts", "--out", "o", "--data", "nobody=b"], "unknown protocol"),
        (["experts", "--out", "o", "--data", "peterson-mi=b"], "there is no folder b"),
    ],
)
def test_bad_calls_are_refused_before_anything_runs(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NeuriptError, match=message):
        train_sweep.run(words)
    assert not list(tmp_path.glob("o/*/config.json"))


def test_a_changed_table_says_what_is_left_behind(tmp_path, plan):
    store = ResultsFolder(tmp_path)

    def quick(job, folder, needs, say):
        yield {"metrics": {"balanced_accuracy": 0.5}}

    work(plan, store, quick)
    assert left_behind(tmp_path, "masking", plan, store) == ""
    more = make_plan(load_sweep("masking"), data=["a", "b"], seeds=[0, 1, 2], corpus="c")
    assert left_behind(tmp_path, "masking", more, store) == ""
    changed = load_sweep("masking", {"pretrain": {"steps": 3}})
    other = make_plan(changed, data=["a", "b"], seeds=[0, 1], corpus="c")
    scratch = sum(job.label.startswith("scratch") for job in plan.jobs)
    note = left_behind(tmp_path, "masking", other, store)
    assert note.startswith(f"{len(plan.jobs) - scratch} finished jobs")


def test_a_pretraining_that_was_stopped_goes_on_and_ends_as_if_it_was_not(tmp_path, monkeypatch):
    import torch

    from neuript.modelfile.checkpoint import load_checkpoint

    monkeypatch.setattr(real, "open_corpora", lambda folders, **_: [fake_corpus.make_corpus()])
    monkeypatch.setattr(real, "CHECKPOINT_EVERY", 2)
    tiny = {k: v for k, v in fake_corpus.TINY.items() if k not in ("size", "checkpoint_every")}
    model = tiny.pop("overrides")
    settings = {**tiny, "steps": 6, "overrides": {"dropout": 0.05}}
    config = {"size": "micro", "model": model, "pretrain": settings, "seed": 1}
    job = SweepJob("0", "pretrain", config, (), "x")

    def run(name, stop_at):
        seen = []

        class Stopping:
            def __init__(self, say):
                pass

            def __call__(self, status):
                seen.append(status.step)
                if status.step == stop_at:
                    raise KeyboardInterrupt

        monkeypatch.setattr(real, "_Progress", Stopping)
        (tmp_path / name).mkdir(exist_ok=True)
        results = real.RealRunner({}, [])(job, tmp_path / name, {}, lambda text: None)
        return [dict(result) for result in results], seen

    (whole,), _ = run("whole", None)
    with pytest.raises(KeyboardInterrupt):
        run("cut", 4)
    (cut,), steps = run("cut", None)
    assert min(steps) > 1, "it began anew"
    assert (cut["checkpoint"], cut["hours"]) == (whole["checkpoint"], whole["hours"])
    saved = [load_checkpoint(tmp_path / name / whole["checkpoint"]) for name in ("whole", "cut")]
    assert all(torch.equal(saved[0][1][key], saved[1][1][key]) for key in saved[0][1])
    assert saved[0][0].model["dropout"] == 0.05, "overrides of the pretraining were lost"
