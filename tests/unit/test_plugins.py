"""Candidates of other people: each way in which one can be wrong has its own sentence, and what is right is recorded."""

import hashlib
import sys
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest

from adapters.onnx.model import Graph
from batch.catalogue import chosen, discover, installed
from batch.check_bootstrap import trips_of_the_city
from batch.check_candidate import CheckCandidate
from batch.labelled import LabelledTrips
from domain.errors import InvalidInput, ModelRefused
from domain.gates import GateLimits

# A model of one number a kilometre, learnt from the trips. Each test replaces one line of it.
MODEL = """
import numpy as np
from domain.features import FEATURES
from tests.fakes.models import raw_distance_graph

KM = FEATURES.index("distance_km")


class Fitted:
    def __init__(self, pace):
        self.pace = pace

    def predict(self, features):
        return features[:, KM] * self.pace + 120

    def importances(self):
        return np.eye(len(FEATURES))[KM]

    def to_onnx(self):
        return raw_distance_graph(self.pace)


class Pace:
    name = "pace"
    parameters = {"start": 120}

    def fit(self, features, seconds, threads, weights=None):
        return Fitted(float(np.average((seconds - 120) / (features[:, KM] + 1), weights=weights)))


CANDIDATE = Pace()
"""
FIT = "        return Fitted(float("
PREDICT = "        return features[:, KM] * self.pace + 120"
IMPORTANCES = "        return np.eye(len(FEATURES))[KM]"
TO_ONNX = "        return raw_distance_graph(self.pace)"
GRAPH = """
        from onnx import TensorProto, helper
        nodes = [helper.make_node({operator!r}, ["x"], ["y"]{more})]
        places = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, len(FEATURES)])]
        answers = [helper.make_tensor_value_info("y", {type}, [None, len(FEATURES)])]
        graph = helper.make_graph(nodes, "g", places, answers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8).SerializeToString()
"""
DOUBLE = GRAPH.format(operator="Cast", more=", to=TensorProto.DOUBLE", type="TensorProto.DOUBLE")
WIDE = GRAPH.format(operator="Identity", more="", type="TensorProto.FLOAT")
NOT_A_NUMBER = GRAPH.format(operator="Log", more="", type="TensorProto.FLOAT")

WRONG_AT_ONCE = {
    "no candidate": ("CANDIDATE = Pace()", "", "there is no CANDIDATE in it"),
    "no fit": ("    def fit(", "    def train(", "its candidate, Pace, has no fit"),
    "no name": ('    name = "pace"', "", "its candidate, Pace, has no name"),
    "no parameters": ("    parameters = {", "    settings = {", "has no parameters"),
    "parameters of another kind": ('{"start": 120}', "120", "parameters is int instead of a dictionary"),
    "fit is no method": ("    def fit(", "    fit = 1\n    def other(", "fit is not a method"),
    "bad name": ('"pace"', '"My Pace"', "'My Pace' is no name for a candidate"),
    "all": ('"pace"', '"all"', "'all' is no name for a candidate"),
    "name taken": ('"pace"', '"xgboost"', r"my_model\.py: the name 'xgboost' is taken by batch\.candidates\.xgboost"),
    "syntax": ("class Pace:", "class Pace", r"importing it failed: SyntaxError"),
    "import": ("import numpy as np", "import nonesuch", r"my_model\.py, line 2: importing it failed: ModuleNotFoundError"),
    "exit": ("CANDIDATE = Pace()", "raise SystemExit(3)", "importing it failed: SystemExit: 3"),
}
WRONG_WHEN_TRIED = {
    "fit fails": (FIT, "        1 / 0\n" + FIT, r"my_model\.py, line \d+: fit\(\) failed: ZeroDivisionError: division by zero"),
    "fit of other arguments": ("threads, weights=None", "weights=None", r"fit\(\) failed: TypeError: .*positional arguments"),
    "fit without a result": (FIT, "        Fitted(float(", r"what fit\(\) gives, NoneType, has no method predict\(\)"),
    "no importances": ("    def importances", "    def important", r"Fitted, has no method importances\(\)"),
    "no graph": ("    def to_onnx", "    def to_pickle", r"Fitted, has no method to_onnx\(\)"),
    "fit changes trips": (FIT, "        features[0, 0] = 0\n" + FIT, r"fit\(\) changes the trips"),
    "predict changes trips": (PREDICT, "        features[0, 0] = 0\n" + PREDICT, r"predict\(\) changes the trips"),
    "wrong shape": (PREDICT, PREDICT.replace("features[:, KM]", "features[:, [KM]]"), r"gives shape \(\d+, 1\) instead of"),
    "wrong type": (PREDICT, f"{PREDICT.replace('return ', 'return (')}).astype(int)", "gives int64 instead of floating-point"),
    "NaN": (PREDICT, PREDICT.replace("120", "np.nan"), r"gives \d+ values of \d+ that are not finite"),
    "importances of other inputs": (IMPORTANCES, IMPORTANCES.replace("[KM]", "[:3]"), r"importances\(\) gives shape \(3, "),
    "negative importances": (IMPORTANCES, IMPORTANCES.replace("np.eye", "-np.eye"), "has negative values"),
    "weights ignored": ("weights=weights", "weights=None", r"fit\(\) ignores them"),
    "no seed": (FIT, FIT + "np.random.default_rng().random() + ", "repeats: a second training answers .* set a seed"),
    "graph as text": (TO_ONNX, "        return 'graph'", r"to_onnx\(\) gives str instead of bytes"),
    "graph of noise": (TO_ONNX, "        return b'graph'", "to_onnx: not an ONNX model"),
    "graph of doubles": (TO_ONNX, DOUBLE, "first output is of type double instead of float"),
    "graph of many numbers": (TO_ONNX, WIDE, r"parity: the graph answers \d+ numbers for \d+ trips"),
    "graph of other answers": (TO_ONNX, TO_ONNX.replace("pace", "pace * 1.001"), "parity: the graph's answer differs"),
    "nonsense": (FIT, FIT.replace("float(", "4 * float("), "sound: R2 is -"),
}


@pytest.fixture(scope="module")
def trips() -> LabelledTrips:
    return trips_of_the_city(1500)


def written(folder: Path, text: str = MODEL) -> str:
    path = folder / "my_model.py"
    path.write_text(text)
    return str(path)


def check(name: str, trips: LabelledTrips, limits: GateLimits | None = None) -> None:
    [candidate] = chosen(name)
    CheckCandidate(Graph.open, limits or GateLimits())(candidate, trips)


def replaced(old: str, new: str) -> str:
    assert MODEL.count(old) == 1
    return MODEL.replace(old, new)


def test_a_model_of_ones_own_passes_and_its_origin_is_recorded(tmp_path: Path, trips: LabelledTrips) -> None:
    name = written(tmp_path)
    check(name, trips)
    [mine] = chosen(name)
    recorded = {"candidate_source": name, "candidate_sha256": hashlib.sha256(MODEL.encode()).hexdigest()}
    assert mine.parameters == {"start": 120, **recorded}
    assert list(tmp_path.iterdir()) == [tmp_path / "my_model.py"], "nothing is left beside it"


def test_a_model_of_ones_own_competes_with_ours(tmp_path: Path) -> None:
    assert [each.name for each in chosen(f"all, {written(tmp_path)}")] == [*(each.name for each in discover()), "pace"]


@pytest.mark.parametrize("case", WRONG_AT_ONCE)
def test_a_file_that_holds_no_candidate_is_refused_in_words(case: str, tmp_path: Path) -> None:
    old, new, sentence = WRONG_AT_ONCE[case]
    with pytest.raises(InvalidInput, match=sentence):
        chosen(written(tmp_path, replaced(old, new)))


@pytest.mark.parametrize("case", WRONG_WHEN_TRIED)
def test_a_candidate_that_breaks_the_contract_is_refused_in_words(case: str, tmp_path: Path, trips: LabelledTrips) -> None:
    old, new, sentence = WRONG_WHEN_TRIED[case]
    with pytest.raises(ModelRefused, match=sentence) as refusal:
        check(written(tmp_path, replaced(old, new)), trips)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 600


def test_a_graph_that_says_nan_is_refused(tmp_path: Path, trips: LabelledTrips) -> None:
    from batch.pack import check_parity

    with pytest.raises(ModelRefused, match="the graph answers NaN for 1 of 2 trips"):
        check_parity(np.array([60, np.nan], dtype=np.float32), np.array([60, 60], dtype=np.float32))


def test_a_model_that_takes_too_long_is_refused(tmp_path: Path, trips: LabelledTrips) -> None:
    with pytest.raises(ModelRefused, match="scoring time"):
        check(written(tmp_path), trips, GateLimits(most_microseconds=1e-6))


def test_a_name_is_given_once(tmp_path: Path) -> None:
    mine = written(tmp_path)
    with pytest.raises(InvalidInput, match="the name 'pace' is taken"):
        chosen(f"{mine},{mine}")


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(InvalidInput, match=r"nonesuch\.py cannot be read: No such file"):
        chosen("nonesuch.py")


def package(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, entry: str) -> None:
    """An installed package with this module and this entry point."""
    metadata = folder / "my_models-1.2.3.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-models\nVersion: 1.2.3\n")
    (metadata / "entry_points.txt").write_text(f"[tripcast.candidates]\n{entry}\n")
    (metadata / "top_level.txt").write_text("my_models_package\n")
    (folder / "my_models_package").mkdir()
    (folder / "my_models_package" / "__init__.py").write_text("")
    (folder / "my_models_package" / "pace.py").write_text(module)
    monkeypatch.syspath_prepend(str(folder))
    for name in ("my_models_package", "my_models_package.pace"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert any(each.name == "my-models" for each in distributions())


@pytest.mark.parametrize("entry", ["pace = my_models_package.pace", "pace = my_models_package.pace:CANDIDATE"])
def test_an_installed_package_offers_a_candidate_by_its_entry_point(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, monkeypatch, MODEL, entry)
    assert [each.name for each in installed()] == ["pace"]
    assert [each.name for each in chosen("all")] == [*(each.name for each in discover()), "pace"]
    [mine] = chosen("pace")
    assert mine.parameters["candidate_package"] == "my-models 1.2.3"
    assert mine.parameters["candidate_sha256"] == hashlib.sha256(MODEL.encode()).hexdigest()


def test_a_module_is_named_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, monkeypatch, MODEL, "")
    [mine] = chosen("my_models_package.pace")
    assert (mine.name, mine.parameters["candidate_package"]) == ("pace", "my-models 1.2.3")
    with pytest.raises(InvalidInput, match=r"my_models_package\.nonesuch: importing it failed: ModuleNotFoundError"):
        chosen("my_models_package.nonesuch")


def test_a_broken_package_is_named_and_stands_in_the_way_of_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, monkeypatch, "import nonesuch", "pace = my_models_package.pace")
    with pytest.raises(InvalidInput, match=r"my-models 1\.2\.3\): loading it failed: ModuleNotFoundError"):
        chosen("all")
    assert [each.name for each in chosen("xgboost")] == ["xgboost"]


def test_an_entry_point_of_another_name_than_its_candidate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, monkeypatch, MODEL, "fast = my_models_package.pace")
    with pytest.raises(InvalidInput, match="the entry point is called 'fast', the candidate 'pace'"):
        chosen("fast")


def test_what_is_neither_a_name_nor_a_file_is_told_with_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, monkeypatch, MODEL, "pace = my_models_package.pace")
    with pytest.raises(InvalidInput, match=r"no candidate is called 'oracle'; there are .*xgboost-quick, pace, or all"):
        chosen("oracle")
