"""The API of reports: parse, call one action, show. No decisions are taken here."""

from ninja import Router

router = Router(tags=["reports"])
