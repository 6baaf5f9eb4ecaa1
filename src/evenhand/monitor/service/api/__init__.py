"""The API: one router a file; `ROUTERS` names them all."""

from __future__ import annotations

from fastapi import APIRouter

from evenhand.monitor.service.api import alerts, audits, events, feedback, health, indicators, keeping

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    events.router,
    indicators.router,
    alerts.router,
    feedback.router,
    audits.router,
    keeping.router,
)
