"""The registry finds every detector, and builds one from a monitor file's words."""

import types

import pytest

from detectors.base import Detector
from detectors.errors import DetectorError, DuplicateNameError, InvalidParamsError, UnknownDetectorError
from detectors.psi import Psi, PsiParams
from detectors.registry import DETECTORS, KINDS, build, discover

PROMISED = {
    "psi": ("FeatureDrift", True),
    "jensen_shannon": ("FeatureDrift", False),
    "kolmogorov_smirnov": ("FeatureDrift", False),
    "chi_square": ("FeatureDrift", False),
    "wasserstein": ("FeatureDrift", False),
    "hellinger": ("FeatureDrift", False),
    "g_test": ("FeatureDrift", False),
    "total_variation": ("FeatureDrift", False),
    "l_infinity": ("FeatureDrift", False),
    "constant_column": ("ConstantColumn", False),
    "vanished_column": ("MissingValues", False),
    "appeared_column": ("ColumnAppeared", False),
    "duplicates": ("DuplicateEvents", False),
    "expectation": ("ExpectationFailed", True),
    "prediction_drift": ("PredictionDrift", True),
    "adwin": ("MeanShift", False),
    "page_hinkley": ("MeanShift", False),
    "new_categories": ("NewCategories", True),
    "vanished_categories": ("VanishedCategories", True),
    "missing_rate": ("MissingValues", True),
    "out_of_range": ("OutOfRange", True),
    "invalid_rate": ("InvalidEvents", True),
    "unexpected_features": ("UnexpectedFeatures", True),
    "latency": ("LatencyHigh", False),
    "error_rate": ("ErrorRateHigh", True),
    "traffic_silence": ("TrafficSilence", True),
    "traffic_surge": ("TrafficSurge", True),
    "stale_stream": ("StaleStream", True),
}


def test_the_promised_detectors_are_there_with_their_kinds_and_defaults() -> None:
    found = {name: (cls.kind, cls.default) for name, cls in DETECTORS.items()}
    assert {name: found.get(name) for name in PROMISED} == PROMISED


def test_kinds_are_those_of_the_detectors() -> None:
    assert set(KINDS) == {cls.kind for cls in DETECTORS.values()}
    assert list(KINDS) == sorted(set(KINDS))


def test_two_detectors_of_one_name_are_an_error() -> None:
    module = types.ModuleType("elsewhere")

    class Other(Detector[PsiParams]):
        name = "psi"

    Other.__module__ = "elsewhere"
    vars(module)["Other"] = Other
    here = types.ModuleType("detectors.psi")
    vars(here)["Psi"] = Psi
    with pytest.raises(DuplicateNameError, match=r"'psi' is claimed by .*Psi and .*Other"):
        discover([here, module])


def test_a_base_without_a_name_is_no_detector() -> None:
    module = types.ModuleType("elsewhere")

    class Base(Detector[PsiParams]):
        pass

    Base.__module__ = "elsewhere"
    vars(module)["Base"] = Base
    assert dict(discover([module])) == {}


def test_a_detector_is_built_with_the_parameters_given_and_defaults_for_the_rest() -> None:
    built = build("psi", {"threshold": 0.3}, "age")
    assert (built.params.threshold, built.params.min_samples, built.column) == (0.3, 500, "age")


def test_a_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownDetectorError, match="did you mean 'page_hinkley'"):
        build("page_hinckley", {})


def test_every_wrong_parameter_is_named_at_once() -> None:
    with pytest.raises(InvalidParamsError) as caught:
        build("psi", {"threshhold": 1, "alpha": 2})
    message = str(caught.value)
    assert "threshhold" in message
    assert "alpha = 2" in message
    assert "min_samples" in message
    assert isinstance(caught.value, DetectorError)
