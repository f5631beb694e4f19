"""The desk's pages."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path

import urllib3
from flask import Flask, Response, abort, render_template, request, send_file
from flask_swagger_ui import get_swaggerui_blueprint  # type: ignore[import-untyped]

from infrastructure.local.desk.mailbox import Mail, Mailbox
from infrastructure.local.desk.settings import Settings

MAILS_PER_PAGE = 50
# A message is somebody else's content: no script, nothing fetched, no way out of its frame.
MESSAGE_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
NOT_FORWARDED = {"connection", "content-length", "host", "transfer-encoding"}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

PORTAL = {
    "/compliance": ["GET /v1/me/compliance"],
    "/people/<person>/compliance": ["GET /v1/people/{person}/compliance"],
    "/courses/<course>": ["GET /v1/courses/{course}"],
    "/enrolments": ["GET /v1/me/learning"],
    "/enrolments/<item>": ["GET /v1/me/enrolments/{item}", "POST /v1/me/enrolments/{item}/withdrawal"],
    "/approvals": ["GET /v1/approvals", "GET /v1/me/delegations"],
    "/approvals/<person>/<item>": [
        "GET /v1/approvals",
        "POST /v1/people/{person}/enrolments/{item}/approval",
        "POST /v1/people/{person}/enrolments/{item}/rejection",
    ],
    "/external-training/<person>/<training>": [
        "GET /v1/external-training/{person}/{training}",
        "POST /v1/external-training/{person}/{training}/approval",
        "POST /v1/external-training/{person}/{training}/rejection",
    ],
    "/transfers": ["GET /v1/me/transfers"],
    "/transfers/<person>/<transfer>": [
        "GET /v1/transfers/{person}/{transfer}",
        "POST /v1/transfers/{person}/{transfer}/release",
        "POST /v1/transfers/{person}/{transfer}/refusal",
        "POST /v1/transfers/{person}/{transfer}/withdrawal",
    ],
    "/messages": ["GET /v1/me/notifications", "GET /v1/me/message-preferences"],
    "/certifications/<certification>": ["GET /v1/me/certifications"],
    "/people/<person>/certifications": ["GET /v1/people/{person}/certifications"],
    "/people/<person>/certifications/<certification>": [
        "GET /v1/people/{person}/certifications",
        "POST /v1/people/{person}/certifications/{certification}/approval",
        "POST /v1/people/{person}/certifications/{certification}/rejection",
    ],
    "/certificates/<code>": ["GET /v1/certificates/{code}"],
    "/people/<person>/enrolments/<item>": [
        "GET /v1/people/{person}/enrolments/{item}",
        "POST /v1/people/{person}/enrolments/{item}/withdrawal",
    ],
    "/classes/<item>": [
        "GET /v1/classes/{item}/class-list",
        "GET /v1/classes/{item}/details",
        "PATCH /v1/classes/{item}",
        "POST /v1/classes/{item}/enrolments",
        "POST /v1/classes/{item}/cancellation",
    ],
    "/calendar": ["GET /v1/me/calendar"],
    "/messages/unreachable": ["GET /v1/messages/unreachable"],
}
"""The pages of the portal that messages and certificates lead to, and the routes that do the same."""


def create_app(settings: Settings) -> Flask:
    """The desk as a WSGI application."""
    desk = Flask(__name__)
    desk.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]  # so that no name of somebody else's leads here
    http = urllib3.PoolManager(retries=False, timeout=35)
    mailbox = Mailbox(Path(settings.mail_folder))

    @desk.get("/")
    def index() -> str:
        return render_template("index.html", settings=settings, demo=settings.demo(), mails=len(mailbox.names()))

    @desk.get("/openapi.json")
    def openapi() -> Response:
        """The API's own description, said to be served here, so that its page can try the API without CORS."""
        answer = http.request("GET", f"{settings.api_url}/v1/openapi.json")
        if answer.status != 200:
            return Response(answer.data, answer.status)
        return Response(json.dumps({**answer.json(), "servers": [{"url": "/"}]}), mimetype="application/json")

    @desk.post("/token")
    def token() -> Response:
        """Sign in with a login and a password; the access token as plain text, ready for a shell variable."""
        body = {name: request.form.get(name, "") for name in ("login", "password")}
        answer = http.request("POST", f"{settings.api_url}/v1/sign-in", json=body)
        if answer.status != 200:
            return Response(answer.data, answer.status, mimetype=answer.headers.get("Content-Type"))
        return Response(answer.json()["access_token"], mimetype="text/plain")

    @desk.route("/v1/<path:path>", methods=METHODS)
    def api(path: str) -> Response:
        query = f"?{request.query_string.decode()}" if request.query_string else ""
        answer = http.request(
            request.method,
            f"{settings.api_url}/v1/{path}{query}",
            body=request.get_data(),
            headers=dict(_forwarded(request.headers.items())),
            redirect=False,
            decode_content=False,
        )
        return Response(answer.data, answer.status, _forwarded(answer.headers.items()))

    @desk.get("/mailbox")
    def list_mails() -> str:
        names = mailbox.names()
        page = max(request.args.get("page", 1, int), 1)
        shown = names[(page - 1) * MAILS_PER_PAGE : page * MAILS_PER_PAGE]
        return render_template(
            "mailbox.html",
            mails=mailbox.mails(shown),
            total=len(names),
            page=page,
            more=len(names) > page * MAILS_PER_PAGE,
        )

    def portal_link(**ids: str) -> str:
        """Where the links of mails and certificates lead on this machine: the web portal is not part of it."""
        assert request.url_rule
        routes = [route.format(**ids) for route in PORTAL[request.url_rule.rule]]
        return render_template("link.html", address=request.path, routes=routes)

    for page in PORTAL:
        desk.add_url_rule(page, page, portal_link)

    def mail_or_404(name: str) -> Mail:
        return mailbox.mail(name) or abort(404)

    @desk.get("/mailbox/<name>")
    def show_mail(name: str) -> str:
        return render_template("message.html", mail=mail_or_404(name))

    @desk.get("/mailbox/<name>/html")
    def mail_html(name: str) -> Response:
        return Response(mail_or_404(name).html(), headers={"Content-Security-Policy": MESSAGE_POLICY})

    @desk.get("/mailbox/<name>/source")
    def mail_source(name: str) -> Response:
        return Response(mail_or_404(name).message.as_bytes(), mimetype="text/plain")

    @desk.get("/mailbox/<name>/parts/<int:index>")
    def mail_part(name: str, index: int) -> Response:
        part = next((part for part in mail_or_404(name).parts() if part.index == index), None) or abort(404)
        return send_file(io.BytesIO(part.content), part.content_type, as_attachment=True, download_name=part.name)

    reference = {
        "app_name": "ESR Learning API",
        "layout": "BaseLayout",
        "persistAuthorization": True,
        "validatorUrl": None,
    }
    desk.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json", reference))
    return desk


def _forwarded(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers that belong to the message, not to the connection."""
    return [(name, value) for name, value in headers if name.lower() not in NOT_FORWARDED]
