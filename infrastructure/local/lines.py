"""Lines to paste into a shell, complete for the trust that was loaded: what `make run` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infrastructure import ROOT
from infrastructure.local import settings

PDF = {"content_type": "application/pdf", "bytes": len("%PDF-1.7\nA certificate.\n%%EOF\n")}


def lines_to_try(demo: dict[str, Any]) -> dict[str, list[str]]:
    """What to paste into a shell, by what it shows."""
    logins = {person["role"]: person for person in demo["sign_ins"]}
    move, name, file = demo["move"], "people.csv", here("people.csv")
    classes = demo["classes"]
    course, register = classes["course_id"], f"/classes/{classes['class_with_register']}/register"
    target = {"kind": "POS", "id": classes["position"]}
    restricted = {"rules": [{"mode": "self-enrol", "targets": [target]}], "revision": classes["revision"]}
    return {
        "Try, as a learner: My Compliance, and a booking": [
            signing_in("TOKEN", next(each for each in logins.values() if each["login"] == demo["learner"])),
            call("TOKEN", "/me/compliance"),
            call("TOKEN", "/me/enrolments", {"class_id": demo["class_id"]}),
        ],
        "Move that learner, as the workforce feed does, and see who knows": [
            signing_in("FEED", logins["workforce feed"]),
            signing_in("ADMIN", logins["learning administrator"]),
            call("FEED", "/workforce/changes", {"changes": [move["change"]]}),
            call("TOKEN", "/me/compliance"),
            call("ADMIN", f"/units/{move['unit']}/compliance"),
            call("ADMIN", f"/people/{move['person']}/compliance/explanation")
            + f" -G --data-urlencode 'competency={move['competency']}'",
        ],
        "Drop a file of 10,000 joiners, 20 rows of it wrong, and follow it": [
            f".venv/bin/python -m infrastructure.demo.workforce_csv --rows 10000 --bad 20 --staff {demo['staff']} > {file}",
            f"UPLOAD=$({call('FEED', '/workforce/files', {'name': name})} | {picked('upload_to')})",
            f'curl -s -T {file} "$UPLOAD"',
            call("FEED", "/workforce/files"),
        ],
        "Schedule a class a week over a clock change and a bank holiday, and let only one position find it": [
            call("ADMIN", "/class-schedules/preview", classes["schedule"]),
            f"CLASS=$({call('ADMIN', '/class-schedules', classes['schedule'])} -H 'Idempotency-Key: try-1'"
            f" | {picked('classes', 0, 'class_id')})",
            call("TOKEN", "/classes/$CLASS"),
            call("ADMIN", f"/courses/{course}/access-rules", restricted, "PUT"),
            call("TOKEN", "/courses") + f" -G --data-urlencode 'words={classes['title']}'",
            call("TOKEN", f"/courses/{course}"),
            call("TOKEN", "/classes/$CLASS"),
        ],
        "Be told what to do before a course, and print the register of a class": [
            call("TOKEN", f"/courses/{classes['course_with_prerequisite']}"),
            call("TOKEN", "/me/enrolments", {"class_id": classes["class_with_prerequisite"]}),
            f"{call('ADMIN', register)} -H 'Accept: application/pdf' -o {here('register.pdf')}",
        ],
        **lines_of_enrolments(demo["enrolments"], logins),
    }


def lines_of_enrolments(enrolments: dict[str, Any], logins: dict[str, dict[str, str]]) -> dict[str, list[str]]:
    """What becomes of enrolments, and of training done elsewhere; `$TOKEN` and `$ADMIN` are there already."""
    pair, learner = {"class_id": enrolments["class_for_two"]}, enrolments["learner_id"]
    asked, held = {"class_id": enrolments["class_by_approval"]}, enrolments["class_to_mark"]
    completes, evidence = enrolments["completes"], here("evidence.pdf")
    absent = {"person_id": enrolments["stays_away"], "outcome": "did not attend"}
    certificate = f"/people/{completes}/enrolments/{held}~1/certificate"
    claims = enrolments["training"]["claims"]
    return {
        "Fill a class for two, wait for a place, and get it when somebody gives theirs back: look at the mailbox": [
            signing_in("MANAGER", logins["manager"]),
            f"PLACE=$({call('TOKEN', '/me/enrolments', pair)} | {picked('id')})",
            call("MANAGER", "/me/enrolments", pair),
            call("TOKEN", "/me/enrolments/$PLACE/withdrawal", method="POST"),
            call("MANAGER", "/me/learning"),
            call("ADMIN", f"/classes/{enrolments['class_by_need']}/class-list"),
        ],
        "Ask for a place that needs approval, and decide what waits": [
            f"ASKED=$({call('TOKEN', '/me/enrolments', asked)} | {picked('id')})",
            call("MANAGER", "/approvals"),
            call("MANAGER", "/approvals/decisions", {"decisions": enrolments["decisions"]}),
            call(
                "ADMIN",
                f"/people/{learner}/enrolments/$ASKED/approval",
                {"override": {"reason": "Agreed by telephone"}},
            ),
            call("TOKEN", "/me/learning"),
        ],
        "Mark the register of a class that was held, see compliance follow, and print a certificate": [
            signing_in("INSTRUCTOR", logins["instructor"]),
            call("ADMIN", f"/people/{completes}/compliance"),
            call("INSTRUCTOR", f"/classes/{held}/attendance", {"marks": [absent], "rest": "completed"}),
            call("ADMIN", f"/people/{completes}/compliance"),
            f"{call('ADMIN', certificate)} -H 'Accept: application/pdf' -o {here('certificate.pdf')}",
        ],
        "Add training done elsewhere, with a PDF as evidence, and have it verified": [
            f"printf '%s\\n' '%PDF-1.7' 'A certificate.' '%%EOF' > {evidence}",
            f"DONE=$({call('TOKEN', '/me/external-training', enrolments['training'])} | {picked('id')})",
            f"SEND=$({call('TOKEN', '/me/external-training/$DONE/evidence', PDF)} | {picked('upload_to')})",
            f'curl -s -T {evidence} -H "Content-Type: {PDF["content_type"]}" "$SEND"',
            call("TOKEN", "/me/external-training/$DONE/submission", method="POST"),
            call("ADMIN", f"/external-training/{learner}/$DONE/approval", method="POST"),
            call("ADMIN", f"/external-training/{learner}/$DONE/verification", {"awards": claims}),
        ],
    }


def here(name: str) -> Path:
    """A file of the local data, as seen from the root of the repository."""
    return (settings.LOCAL / name).relative_to(ROOT)


def signing_in(variable: str, person: dict[str, str]) -> str:
    """A line that puts somebody's access token into a variable of the shell."""
    asked = f"-d login={person['login']} -d password='{person['password']}'"
    return f"{variable}=$(curl -s {settings.DESK_URL}/token {asked})"


def picked(*path: str | int) -> str:
    """A command that takes one value out of an answer."""
    return f'python3 -c "import json, sys; print(json.load(sys.stdin){"".join(f"[{each!r}]" for each in path)})"'


def call(token: str, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> str:
    """A line that calls a route: GET, or POST (or another method) with a body."""
    sent = f" -H 'Content-Type: application/json' -d '{json.dumps(body)}'" if body else ""
    sent += f" -X {method}" if method else ""
    return f'curl -s -H "Authorization: Bearer ${token}" {settings.DESK_URL}/v1{path}{sent}'
