"""Reporting to Weights & Biases and MLflow, without a network."""

import importlib

import pytest

from edgeage.errors import MissingDependencyError, UsageError
from edgeage.training.logs import StepReport, TestReport
from edgeage.training.trackers import check_trackers, open_trackers


def report(trackers, first):
    for iteration in range(first, first + 10):
        trackers[0].step(StepReport(iteration, 100, 1.5, 0.01, 50.0))
    trackers[0].test(TestReport(first + 9, 1.25, 0.75, 10, mae_years=float(first)))


def test_an_unknown_one_is_refused():
    with pytest.raises(UsageError, match="unknown tracker «wanb»; did you mean «wandb»"):
        check_trackers(["wanb"])


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_one_is_named_in_one_line(monkeypatch, name):
    true = importlib.import_module

    def missing(module, *more):
        if module == name:
            raise ModuleNotFoundError(module)
        return true(module, *more)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingDependencyError, match=rf"pip install 'edgeage\[{name}\]'") as caught:
        check_trackers([name])
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("default")
def test_mlflow_goes_on_in_its_run(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "runs").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    for first in (1, 11):
        with open_trackers(["mlflow"], "ssrnet", "abc", {"epochs": 2}, tmp_path) as trackers:
            report(trackers, first)
    client = mlflow.MlflowClient((tmp_path / "runs").as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("edgeage").experiment_id])
    assert (run.info.status, run.data.params) == ("FINISHED", {"epochs": "2"})
    history = client.get_metric_history(run.info.run_id, "test/mae_years")
    assert [(point.step, point.value) for point in history] == [(10, 1.0), (20, 11.0)]
    assert run.data.metrics["train/loss"] == 1.5
    assert "test/gender" not in run.data.metrics


@pytest.mark.filterwarnings("default")
def test_wandb_writes_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with open_trackers(["wandb"], "ssrnet", "abc", {"epochs": 2}, tmp_path) as trackers:
        report(trackers, 1)
        assert dict(trackers[0]._sink.config) == {"epochs": 2}
    (stored,) = tmp_path.glob("wandb/offline-run-*/run-abc.wandb")
    # A step's figures are written once the next begins, or the run ends.
    for name in (b"train/learning_rate", b"test/mae_years"):
        assert name in stored.read_bytes()
    assert b"test/gender" not in stored.read_bytes()
