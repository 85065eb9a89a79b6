"""Clients of the places notifications go to, one file each; `alerts.receivers.registry` lists them."""
