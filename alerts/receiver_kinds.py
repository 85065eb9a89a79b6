"""Every kind of receiver the config file knows."""

from alerts.alertmanager_config import AlertmanagerConfig
from alerts.email_config import EmailConfig
from alerts.pagerduty_config import PagerdutyConfig
from alerts.receiver_config import LogConfig, SlackConfig
from alerts.webhook_config import WebhookConfig

ReceiverConfig = LogConfig | WebhookConfig | SlackConfig | PagerdutyConfig | AlertmanagerConfig | EmailConfig
