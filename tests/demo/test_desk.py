"""The desk has a page wherever a message leads."""

import re
from pathlib import Path

from chalicelib.rendering import __file__ as rendering
from infrastructure.local.desk.app import create_app
from infrastructure.local.desk.settings import Settings


def test_every_link_of_every_message_and_certificate_leads_to_a_page_that_names_routes(tmp_path):
    code = Path(rendering).parent
    templates = (code / "templates").rglob("*.*")
    links = {
        re.sub(r"\{\{ \w+ \}\}", "x", link)
        for file in templates
        for link in re.findall(r"\{\{ portal_url \}\}((?:\{\{ \w+ \}\}|[^\s\"<{])+)", file.read_text())
    }
    printed = {
        re.sub(r"\{\w+\}", "x", address)
        for file in code.rglob("*.py")
        for address in re.findall(r"setting\('PORTAL_URL'\)\}([^\">]+)", file.read_text())
    }
    assert len(links) > 3
    assert printed == {"/certificates", "/messages"}  # a certificate's code follows the first
    desk = create_app(Settings(0, 0, "http://127.0.0.1:1", str(tmp_path), str(tmp_path / "demo.json"))).test_client()
    for link in links | {"/certificates/x", "/messages"}:
        page = desk.get(link, headers={"Host": "localhost"})
        assert (link, page.status_code) == (link, 200)
        assert "/v1/" in page.text
