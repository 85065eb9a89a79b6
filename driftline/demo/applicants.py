"""A credit model's traffic: who applies, and what the model answers. Seeded, no clock."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

MODEL = "credit"
VERSION = "2.3.1"

HOUSING = {"rent": 0.42, "mortgage": 0.31, "own": 0.17, "family": 0.075, "houseboat": 0.025}
CHANNELS = {"web": 0.46, "app": 0.33, "branch": 0.14, "phone": 0.07}
MEDIAN_EMPLOYMENT_YEARS = 6.0

_HOUSING_RISK = {"rent": 0.25, "own": -0.3, "mortgage": -0.15}
#: The model clips what it is given to what it was trained on, as scorecards do.
_TRAINED_INCOME = (12_000.0, 400_000.0)
_TRAINED_DEBT_RATIO = (0.0, 1.0)

Features = dict[str, Any]


@dataclass(slots=True)
class Applicants:
    """People who apply for credit, drawn from one unchanging population.

    Examples
    --------
    >>> people = Applicants(np.random.default_rng(7)).draw(2)
    >>> sorted(people[0])
    ['age', 'channel', 'debt_ratio', 'employment_years', 'housing', 'income', 'is_customer', 'loan_amount']
    """

    rng: np.random.Generator

    def draw(self, n: int) -> list[Features]:
        """Return the features of ``n`` applicants."""
        rng = self.rng
        columns = {
            "income": np.clip(rng.lognormal(10.8, 0.45, n), 9_000, 600_000).round(-1),
            "age": np.clip(rng.normal(41, 11, n), 18, 95).round(),
            "debt_ratio": rng.beta(2.6, 4.8, n).round(3),
            "loan_amount": np.clip(rng.lognormal(9.3, 0.6, n), 500, 90_000).round(-2),
            "employment_years": np.clip(rng.gamma(2.0, 3.6, n), 0, 45).round(1),
        }
        listed = [column.tolist() for column in columns.values()]
        listed.append(rng.choice(list(HOUSING), n, p=list(HOUSING.values())).tolist())
        listed.append(rng.choice(list(CHANNELS), n, p=list(CHANNELS.values())).tolist())
        listed.append((rng.random(n) < 0.38).tolist())
        names = [*columns, "housing", "channel", "is_customer"]
        return [dict(zip(names, row, strict=True)) for row in zip(*listed, strict=True)]

    def latencies_ms(self, n: int) -> list[float]:
        """Return how long the model takes for ``n`` predictions; p99 is near 75 ms."""
        latencies: list[float] = self.rng.lognormal(3.0, 0.56, n).round(2).tolist()
        return latencies


def score(features: Features) -> float:
    """Return the probability of default the model answers with, a logistic scorecard.

    Examples
    --------
    >>> person = {"income": 50_000.0, "age": 40.0, "debt_ratio": 0.3, "loan_amount": 10_000.0,
    ...           "employment_years": 5.0, "housing": "rent", "channel": "web", "is_customer": True}
    >>> score(person) < score(person | {"debt_ratio": 0.9})
    True
    """
    income = min(max(features["income"], _TRAINED_INCOME[0]), _TRAINED_INCOME[1])
    debt = min(max(features["debt_ratio"], _TRAINED_DEBT_RATIO[0]), _TRAINED_DEBT_RATIO[1])
    years = features["employment_years"]
    risk = (
        -1.7
        + 4.2 * (debt - 0.35)
        + 0.07 * math.log(features["loan_amount"] / income)
        - 0.008 * (features["age"] - 41)
        - 0.045 * ((MEDIAN_EMPLOYMENT_YEARS if years is None else years) - MEDIAN_EMPLOYMENT_YEARS)
        + _HOUSING_RISK.get(features["housing"], 0.0)
        - (0.25 if features["is_customer"] else 0.0)
    )
    return round(1 / (1 + math.exp(-risk)), 4)
