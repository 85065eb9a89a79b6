"""What one integration's templates make of a notification, or why they make nothing of it."""

from collections.abc import Mapping
from dataclasses import replace

from alerts.errors import TemplateFailed, TemplateRefused
from alerts.notification import Notification, legible
from alerts.receiver_kinds import ReceiverConfig
from alerts.templates.catalogue import Catalogue
from alerts.templates.field import given_templates


def worded(told: Notification, config: ReceiverConfig, catalogue: Catalogue) -> tuple[Notification, str]:
    """Return a notification with an integration's own words, and "" or why it is left with the built-in ones.

    Where one template fails, all of the message is in the built-in words: so that it does not contradict itself.
    What comes out empty is the built-in text, too.
    """
    given = given_templates(config)
    if not given:
        return told, ""
    try:
        made = catalogue.render(given, told)
    except (TemplateFailed, TemplateRefused) as error:
        return told, str(error)
    return replace(told, wording=_clean(made)), ""


def _clean(made: Mapping[str, str]) -> dict[str, str]:
    cleaned = {name: legible(text).strip() for name, text in made.items()}
    return {name: text for name, text in cleaned.items() if text}
