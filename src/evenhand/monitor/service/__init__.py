"""The web service: `app.create_app` makes it of `settings`; routes are in `api` (JSON) and `pages` (HTML)."""
