"""What a user calls from Python: train, evaluate, analyze, demo."""

from dlcreg.apis.analyze import analyze
from dlcreg.apis.analyzed import Analyzed
from dlcreg.apis.demo import demo, demo_project
from dlcreg.apis.evaluate import evaluate
from dlcreg.apis.results import Result
from dlcreg.apis.train import train

__all__ = ["Analyzed", "Result", "analyze", "demo", "demo_project", "evaluate", "train"]
