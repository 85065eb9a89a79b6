"""``inhibit_rules`` of the config file."""

from functools import cached_property

from pydantic import Field

from alerts.matcher import Matcher
from alerts.matcher_config import MatcherLines, Patterns, together
from alerts.receiver_config import Section


class InhibitRule(Section):
    """While an alert fires that matches the source, alerts that match the target are not told.

    Both must have the same values of the labels in ``equal``; a label that is missing equals an empty one.
    """

    source_matchers: MatcherLines = Field(default=(), description="all must hold of the alert that inhibits")
    target_matchers: MatcherLines = Field(default=(), description="all must hold of those that are inhibited")
    equal: tuple[str, ...] = Field(default=(), description="labels that both have the same value of")
    source_match: dict[str, str] = Field(default={}, description="old for source_matchers")
    source_match_re: Patterns = Field(default={}, description="old for source_matchers")
    target_match: dict[str, str] = Field(default={}, description="old for target_matchers")
    target_match_re: Patterns = Field(default={}, description="old for target_matchers")

    @cached_property
    def source(self) -> tuple[Matcher, ...]:
        """All matchers of the source."""
        return together(self.source_matchers, self.source_match, self.source_match_re)

    @cached_property
    def target(self) -> tuple[Matcher, ...]:
        """All matchers of the target."""
        return together(self.target_matchers, self.target_match, self.target_match_re)
