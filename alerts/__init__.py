"""The alert desk: alerts in, notifications out. Pure, but for the HTTP clients in `alerts.receivers`."""
