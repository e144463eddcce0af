"""Alerts: what happened, as a text that is sent to addresses while the work goes on."""

from tracking.notify.addresses import Address, parse_addresses, parse_option
from tracking.notify.alerts import ALERTS, Alert, AlertEvent, Notify, parse_events
from tracking.notify.outbox import Outbox
from tracking.notify.pacing import Paced

__all__ = [
    "ALERTS",
    "Address",
    "Alert",
    "AlertEvent",
    "Notify",
    "Outbox",
    "Paced",
    "parse_addresses",
    "parse_events",
    "parse_option",
]
