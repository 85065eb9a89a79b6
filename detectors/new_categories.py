"""Categories never seen before."""

from collections.abc import Mapping

from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import Shortfall, compare, present
from detectors.divergence import shares
from detectors.sentence import against_percent, listing, percent, quantity, shorten
from detectors.significance import Rate, SignificanceParams, excess_limit
from detectors.vanished_categories import VanishedCategoriesParams, gone_categories
from detectors.window import Column, Window


class NewCategoriesParams(SignificanceParams):
    """Parameters of the new categories."""

    threshold: float = Field(
        default=0.01,
        ge=0.0,
        le=1.0,
        description="share of values in categories new to the reference (0 to 1)",
    )


class NewCategories(Detector[NewCategoriesParams]):
    """Fires when categories that neither the monitor nor the reference know hold a notable share.

    ``score`` is the share of such values beyond what the reference lets expect. Where it remembers all its
    unlisted categories by name, those are known, and as many new ones are expected as it has seen only once
    (Good's estimate), so that a long tail of rare names stays ok. Where its sample of names is not
    complete, its share of unlisted values is expected. The threshold in force is the larger of ``threshold`` and the
    share that chance explains with probability ``alpha``. Without a reference, the listed ones are known.
    The sentence also names categories that are gone as they come (`vanished_categories`): a renaming is both.

    References
    ----------
    Good, I. (1953), The Population Frequencies of Species, Biometrika 40(3/4).
    Przyborowski, J. and Wilenski, H. (1940), Homogeneity of results in testing samples from Poisson
    series, Biometrika 31 (the conditional test, see `significance.critical_count`).
    """

    name = "new_categories"
    kind = "NewCategories"
    targets = frozenset({"category"})
    also = frozenset({"VanishedCategories", "FeatureDrift"})
    params_class = NewCategoriesParams
    default = True

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the share of values in categories that are new."""
        column = present(window, self.column, self.params.min_samples)
        if isinstance(column, Shortfall):
            return self.insufficient(column.samples, column.reason)
        if column.binned == 0:
            return self.insufficient(
                column.count, f"{shorten(self.column)}: the known categories are not learned yet"
            )
        known = None if reference is None else reference.column(self.column)
        current, usual = _strangers(column, known)
        limit = excess_limit(current.total, usual, self.params.threshold, self.params.alpha)
        score = max(current.share - (usual.share if usual else 0.0), 0.0)
        gone = self._gone(window, reference) if score > limit else {}
        evidence = Evidence.when_asked(self._evidence, column, known, score, limit, gone)
        return self.verdict(score, current.total, evidence, threshold=limit)

    def _gone(self, window: Window, reference: Window | None) -> dict[str, float]:
        """Return which categories are gone, with their share of the reference: the other half of a renaming."""
        comparison = compare(window, reference, self.column, self.params.min_samples)
        if isinstance(comparison, Shortfall):
            return {}
        usual = VanishedCategoriesParams()
        gone = gone_categories(
            comparison, min_share=usual.min_share, remaining=usual.remaining, alpha=self.params.alpha
        )
        return {comparison.current.labels[i]: float(shares(comparison.counts[1])[i]) for i in gone}

    def _evidence(
        self, column: Column, known: Column | None, score: float, limit: float, gone: Mapping[str, float]
    ) -> Evidence:
        old = {} if known is None else known.unlisted
        new = {name: count for name, count in column.unlisted.items() if name not in old}
        ranked = sorted(new, key=lambda name: (-new[name], name))
        total = column.binned
        names = f": {listing(ranked)}" if ranked else ""
        sentence = (
            f"{shorten(self.column)}: {against_percent(score, limit)} of {quantity(total, 'value')} "
            f"in new categories{names}"
        )
        if gone:
            sentence += f"; gone is {percent(sum(gone.values()))} of the reference: {listing(list(gone))}"
        held = {name: new[name] / total for name in ranked[:20]}
        details = {"categories": held, "gone": gone}
        return Evidence(sentence, value=score, details={key: one for key, one in details.items() if one})


def _strangers(column: Column, known: Column | None) -> tuple[Rate, Rate | None]:
    """Return the window's values in unknown categories, and what the reference has of the like."""
    total, unlisted = column.binned, int(column.bins[-1])
    if known is None or known.binned == 0:
        return Rate(unlisted, total), None
    usual = Rate(int(known.bins[-1]), known.binned)
    if sum(known.unlisted.values()) < usual.hits:
        return Rate(unlisted, total), usual
    new = sum(count for name, count in column.unlisted.items() if name not in known.unlisted)
    # Beyond the names the window could keep, as many may be known ones as the reference lets expect.
    unnamed = unlisted - sum(column.unlisted.values()) - round(usual.share * total)
    seen_once = sum(1 for count in known.unlisted.values() if count == 1)
    return Rate(min(new + max(unnamed, 0), total), total), Rate(seen_once, usual.total)
