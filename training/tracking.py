"""The MLflow store: one run and one version of the registered model for each bundle identity.

MLflow is slow to import and reads its environment while it is, so it is imported when a store is opened.
"""

from __future__ import annotations

import os
import re
import textwrap
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from training.run_record import Point
from yingda.bundle import Bundle
from yingda.domain.errors import MaterialError

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIASES = ("candidate", "champion")
TRACKING_URI = "MLFLOW_TRACKING_URI"
DATABASE = Path("mlruns/mlflow.db")
IDENTITY = "bundle_sha256"
"""Tag of runs and versions: SHA-256 over all in the bundle that can change an answer."""

_SQLITE = "sqlite:///"
_BATCH = 100  # MLflow takes no more parameters at once, and metrics need no more
_LONGEST_REASON = 160  # characters
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_HARMLESS = (
    ("(?s).*Any type hint is inferred as AnyType", UserWarning),  # MLflow about its own classes, on import
    ("The ``noload`` loader strategy is deprecated", DeprecationWarning),  # MLflow's tables under SQLAlchemy 2.1
    ("(?s).*An input example was not provided", UserWarning),  # left out on purpose: the store holds no messages
)


@dataclass(frozen=True)
class RunRecord:
    """What one run says; ``artifacts`` is a folder of files that hold no customer's text."""

    params: Mapping[str, str]
    points: Sequence[Point]
    tags: Mapping[str, str]
    artifacts: Path


@dataclass(frozen=True)
class Registry:
    """An open store and the registered model in it."""

    client: MlflowClient
    uri: str
    name: str

    def find(self, bundle: Bundle) -> str | None:
        """Number of the version that holds ``bundle``, or None."""
        found = self.client.search_model_versions(f"name='{self.name}' and tags.{IDENTITY}='{bundle.identity.sha256}'")
        return str(found[0].version) if found else None

    def add(self, bundle: Bundle, record: RunRecord) -> str:
        """Log ``record`` as a run with the bundle as its model; the version comes last, so a broken run leaves none."""
        import mlflow

        from training import pyfunc

        tags = {**record.tags, IDENTITY: bundle.identity.sha256}
        with mlflow.start_run(experiment_id=self._experiment(), run_name=bundle.identity.version, tags=tags) as run:
            model = mlflow.pyfunc.log_model(
                name="model",
                python_model=pyfunc.__file__,
                artifacts={pyfunc.BUNDLE: str(bundle.root.resolve())},
                signature=pyfunc.signature(),
                pip_requirements=requirements(),
            )
            self._log_numbers(run.info.run_id, model.model_id, record)
            mlflow.log_artifacts(str(record.artifacts))
            return str(mlflow.register_model(model.model_uri, self.name, tags=tags).version)

    def point(self, alias: str, version: str) -> None:
        """Let ``alias`` name ``version``; raises MaterialError when there is no such version."""
        known = sorted((str(found.version) for found in self.client.search_model_versions(f"name='{self.name}'")), key=int)
        if version not in known:
            raise MaterialError(f"{self.name} has no version {version}; name one of: {', '.join(known) or 'none yet'}")
        self.client.set_registered_model_alias(self.name, alias, version)

    def _experiment(self) -> str:
        found = self.client.get_experiment_by_name(self.name)
        return str(found.experiment_id if found else self.client.create_experiment(self.name, artifact_location=artifact_root(self.uri)))

    def _log_numbers(self, run: str, model: str, record: RunRecord) -> None:
        from mlflow.entities import Metric, Param

        now_ms = int(1000 * time.time())
        params = [Param(name, value) for name, value in record.params.items()]
        metrics = [Metric(point.name, point.value, now_ms, point.step, model_id=model) for point in record.points]
        for start in range(0, max(len(params), len(metrics)), _BATCH):
            part = slice(start, start + _BATCH)
            self.client.log_batch(run, metrics=metrics[part], params=params[part])


@contextmanager
def open_registry(name: str, *, uri: str) -> Iterator[Registry]:
    """The registered model ``name`` in the store at ``uri``; raises MaterialError when the store does not answer or refuses."""
    if not _NAME.fullmatch(name):
        raise MaterialError("--name: use letters, digits, dots, dashes and underscores, a letter or digit first")
    before = os.environ.get(TRACKING_URI)
    with warnings.catch_warnings():
        for message, category in _HARMLESS:
            warnings.filterwarnings("ignore", message, category)
        try:
            mlflow = _import_mlflow()
        except ImportError as error:
            raise MaterialError("MLflow is not installed; pip install -e '.[train]'") from error
        try:
            yield Registry(_connect(uri), uri, name)
        except (mlflow.MlflowException, OSError) as error:
            raise MaterialError(f"{_shown(uri)}: MLflow could not go on: {_reason(error, uri)}") from error
        finally:
            mlflow.set_tracking_uri(before)


def store_uri(folder: Path) -> str:
    """``MLFLOW_TRACKING_URI`` when it is set, else the SQLite file below ``folder``."""
    return os.environ.get(TRACKING_URI) or f"{_SQLITE}{(folder / DATABASE).resolve()}"


def artifact_root(uri: str) -> str | None:
    """Where artifacts go: beside a SQLite file; a server decides for itself (None)."""
    return (_database(uri).parent / "artifacts").as_uri() if uri.startswith(_SQLITE) else None


def requirements() -> list[str]:
    """What loading the model needs, pinned to what runs here; Yingda itself is installed from its checkout or wheel."""
    wanted = [line for line in metadata.requires("yingda") or () if "extra ==" not in line]
    names = ["mlflow", "pandas", *(re.split(r"[^\w.-]", line)[0] for line in wanted)]
    return [f"{name}=={metadata.version(name)}" for name in names]


def _import_mlflow() -> ModuleType:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read while MLflow is imported: nothing goes to its makers
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # an address may hold a password, and stdout is for results
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # MLflow's own default tries a dead server for minutes
    import mlflow
    import mlflow.pyfunc

    return mlflow


def _connect(uri: str) -> MlflowClient:
    import mlflow
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if uri.startswith(_SQLITE):
            _database(uri).parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient()
        client.search_experiments(max_results=1)
    except (mlflow.MlflowException, SQLAlchemyError, OSError) as error:
        remedy = "check the file, or move it away" if uri.startswith(_SQLITE) else f"start it, or correct or unset {TRACKING_URI}"
        raise MaterialError(f"{_shown(uri)}: the MLflow store does not answer; {remedy} ({_reason(error, uri)})") from error
    return client


def _database(uri: str) -> Path:
    return Path(uri.removeprefix(_SQLITE)).resolve()


def _shown(uri: str) -> str:
    """``uri`` without name and password."""
    return _without_user(uri, uri)


def _reason(error: Exception, uri: str) -> str:
    """The first line of ``error``, short and without the password of ``uri``."""
    first = (str(error).splitlines() or [""])[0] or type(error).__name__
    return textwrap.shorten(_without_user(first, uri), _LONGEST_REASON, placeholder=" …")


def _without_user(text: str, uri: str) -> str:
    user, at, _ = urlsplit(uri).netloc.rpartition("@")
    return text.replace(user + at, "") if user else text
