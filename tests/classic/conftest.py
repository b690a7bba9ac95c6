"""A small trading bot with the seven streams of the designs, in both of their configurations."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.cli.door import Door
from pucs.cli.init import initialise

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "trading-bot"
FILES = {
    "execution/fill_predictor.py": "def predict(order):\n    return 0.5\n\n\ndef train(orders):\n    return None\n",
    "execution/fill_ml_model.py": "MODEL = None\n",
    "execution/smart_execution.py": "LIMIT = 1\n",
    "llm/sentiment.py": "def score(text):\n    return 0\n",
    "llm/news_analyzer.py": "from llm.sentiment import score\n",
    "llm/agents/base.py": "class Agent:\n    name = ''\n",
    "scanners/options_scanner.py": "def scan():\n    return []\n",
    "indicators/rsi.py": "PERIOD = 14\n",
    "models/risk_manager.py": "class RiskManager:\n    def validate(self, order):\n        return True\n",
    "models/circuit_breaker.py": "OPEN = False\n",
    "backtesting/engine.py": "def run():\n    return None\n",
    "observability/metrics.py": "COUNT = 0\n",
    "api/rest.py": "ROUTES = []\n",
    "config/__init__.py": "DEBUG = False\n",
    "tests/test_fill_predictor.py": "def test_predict():\n    assert True\n",
}
NEWER = EXAMPLES / "config" / "pucs_streams.yaml"
OLDER = EXAMPLES / "pucs.yaml"


@pytest.fixture(scope="session")
def bots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the bot once for each configuration, with a session begun; tests copy what they need."""
    place = tmp_path_factory.mktemp("bots")
    for name, target, source, session in (
        ("older", "pucs_config.yaml", OLDER, "PUCS-20251206-001"),
        ("newer", "config/pucs_streams.yaml", NEWER, "PUCS-20251207-001"),
    ):
        root = place / name
        for path, text in {**FILES, target: source.read_text(encoding="utf-8")}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        for call in (
            ["init", "-q", "-b", "develop", "--template="],
            ["add", "-A"],
            ["commit", "-qm", "Start"],
        ):
            subprocess.run(["git", *call], cwd=root, check=True, capture_output=True)
        shutil.copytree(root, place / f"{name}-bare")
        initialise(Door(repo=str(root), session=session, json=True))
    return place


@pytest.fixture
def stand_in(bots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that copies a bot and stands in it."""

    def stand(name: str) -> Path:
        root = shutil.copytree(bots / name, tmp_path / "bot", symlinks=True)
        monkeypatch.chdir(root)
        return root

    return stand


@pytest.fixture
def older(stand_in: Callable[[str], Path]) -> Path:
    """Stand in the bot of 000 and 001: streams execution, llm, scanners, risk, backtesting, observability, api."""
    return stand_in("older")


@pytest.fixture
def newer(stand_in: Callable[[str], Path]) -> Path:
    """Stand in the bot of 002: streams EXEC, LLM, SCAN, RISK, BACK, OBS, API."""
    return stand_in("newer")
