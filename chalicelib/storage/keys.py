"""One builder per key. The tenant is inside every key, so forgetting it finds nothing (decision 0001).

`P#` is a person, `E#` an owner: an employer's code or `NHS`. Parts are joined with `#`; competency names contain pipes,
never `#`. Days are ISO (`2026-11-23`), instants UTC ISO with `Z`, so that both sort as text.
"""

from datetime import UTC, date, datetime

SEPARATOR = "#"


class BadKeyPart(ValueError):
    """A value that would break out of its place in a key."""


def _join(*parts: str) -> str:
    for part in parts:
        if SEPARATOR in part or not part:
            raise BadKeyPart(f"{part!r} cannot be part of a key")
    return SEPARATOR.join(parts)


def instant(at: datetime) -> str:
    """`2026-11-23T09:00:00Z`: whole seconds, UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- people -------------------------------------------------------------------------------------------------


def person(person_id: str) -> str:
    """`P#01J9…`: the partition of everything about one person."""
    return _join("P", person_id)


PROFILE = "PROFILE"
MAILBOX = "MAIL"
"""In a person's partition: how they want their messages. Nothing sorts between it and the profile."""


def login(name: str) -> str:
    """`ID#504-20059417`, pk and sk: from a login to its one person."""
    return _join("ID", name)


def at_employer(employer: str) -> str:
    """`E#504#`: the beginning of every sort key of one person at one employer."""
    return _join("E", employer) + SEPARATOR


def employment(employer: str) -> str:
    """`E#504#WHO`."""
    return _join("E", employer, "WHO")


def people_by_name(employer: str, last_name: str) -> str:
    """gsi1 `E#504#N#la`: people of an employer whose last name begins with these two letters."""
    return _join("E", employer, "N", last_name.casefold()[:2].replace(SEPARATOR, "") or "-")


def name_sort(last_name: str, first_name: str, person_id: str) -> str:
    """gsi1 sort `lane#sarah#01J9…`."""
    return SEPARATOR.join((last_name.casefold(), first_name.casefold(), person_id))


def employee_number(employer: str, number: str) -> str:
    """`E#504#NO#20059417`: gsi2 of the employment; pk and sk of the row that says whose number it is."""
    return _join("E", employer, "NO", number)


BOOKING = "BOOK"
"""In a person's partition: the revision that every booking moves, at whichever employer, since nobody can be in two places."""


def grant(employer: str, role: str) -> str:
    """`E#504#GRANT#instructor`: sort key, and gsi1 partition to list who holds a role."""
    return _join("E", employer, "GRANT", role)


def assignment(employer: str, number: str, starts_on: date) -> str:
    """`E#504#ASG#20059417-2#2026-04-01`: one row per validity."""
    return _join("E", employer, "ASG", number, starts_on.isoformat())


def assignments(employer: str) -> str:
    """`E#504#ASG#`: the beginning of the sort keys of one person's assignments at one employer."""
    return _join("E", employer, "ASG") + SEPARATOR


def refusals(employer: str) -> str:
    """`E#504#REF`: workforce messages refused without an answer, sort key `2026-11-23T09:00:00Z#<queue message>`."""
    return _join("E", employer, "REF")


def refusal_sort(at: datetime, queue_message: str) -> str:
    """`2026-11-23T09:00:00Z#5fea7756-…`: the same however often the queue delivers it."""
    return _join(instant(at), queue_message)


def unit_view(employer: str, unit: str) -> str:
    """gsi1 `E#504#UNIT#ward-9`: current assignments and snapshots of a unit."""
    return _join("E", employer, "UNIT", unit)


def assignment_sort(person_id: str, number: str) -> str:
    """gsi1 sort `ASG#01J9…#20059417-2`."""
    return _join("ASG", person_id, number)


def reports_to(employer: str, supervisor: str) -> str:
    """gsi2 `E#504#MGR#01J9…`: the current assignments somebody supervises."""
    return _join("E", employer, "MGR", supervisor)


def members(employer: str, group: str) -> str:
    """gsi1 `E#504#LGR#agency-nurses`: the members of a learner group; the sort key of a membership from before they had days."""
    return _join("E", employer, "LGR", group)


def membership(employer: str, group: str, starts_on: date) -> str:
    """`E#504#LGR#agency-nurses#2026-03-01`: sort key in the person's partition."""
    return _join("E", employer, "LGR", group, starts_on.isoformat())


def award(employer: str, competency: str, awarded_on: date, source: str) -> str:
    """`E#504#AWD#NHS|CSTF|Fire Safety - 1 Year|#2026-03-01#504-c17~1`."""
    return _join("E", employer, "AWD", competency, awarded_on.isoformat(), source)


def exemption(employer: str, competency: str, starts_on: date) -> str:
    """`E#504#EXM#NHS|CSTF|Fire Safety - 1 Year|#2026-03-01`."""
    return _join("E", employer, "EXM", competency, starts_on.isoformat())


def exemptions(employer: str) -> str:
    """`E#504#EXM#`: the beginning of the sort keys of one person's exemptions at one employer."""
    return _join("E", employer, "EXM") + SEPARATOR


def enrolment(employer: str, class_id: str, attempt: int) -> str:
    """`E#504#ENR#504-c17#001`: a row per attempt."""
    return _join("E", employer, "ENR", class_id, f"{attempt:03d}")


def enrolments(employer: str) -> str:
    """`E#504#ENR#`: the beginning of the sort keys of one person's enrolments at one employer."""
    return _join("E", employer, "ENR") + SEPARATOR


def roster(employer: str, class_id: str) -> str:
    """gsi2 `E#504#CLS#504-c17`: the enrolments of a class; national e-learning has a roster per employer."""
    return _join("E", employer, "CLS", class_id)


def national_waiting_list(class_id: str) -> str:
    """gsi1 `E#NHS#WAI#NHS-c4`: who waits for a national class, of every employer, sorted as on a roster."""
    return _join("E", "NHS", "WAI", class_id)


def roster_sort(rank: int, placed_at: datetime, person_id: str, need: int = 0) -> str:
    """gsi2 sort `2#0#2026-11-23T09:00:00.000000Z#01J9…`: by state, then need (0 where it does not count), then time, then person.

    Time is as exact as it is kept: of two who asked within a second, the first is first.
    """
    at = placed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return _join(str(rank), str(need), at, person_id)


def absences(employer: str, day: date) -> str:
    """`E#504#DNA#2026-12`: who did not attend in a month."""
    return _join("E", employer, "DNA", day.strftime("%Y-%m"))


def absence_sort(day: date, person_id: str, class_id: str, attempt: int) -> str:
    """`2026-12-01#01J9…#504-c17~001`."""
    return _join(day.isoformat(), person_id, f"{class_id}~{attempt:03d}")


def certificate(employer: str, class_id: str, attempt: int, code: str) -> str:
    """`E#504#CTF#504-c17#001#7Q2M…`: a certificate as it was issued, in the person's partition."""
    return _join("E", employer, "CTF", class_id, f"{attempt:03d}", code)


def certificates(employer: str, class_id: str, attempt: int) -> str:
    """`E#504#CTF#504-c17#001#`: the beginning of the sort keys of the certificates of one enrolment."""
    return _join("E", employer, "CTF", class_id, f"{attempt:03d}") + SEPARATOR


def certificate_code(code: str) -> str:
    """gsi1 `CTF#7Q2M…`: the certificate with a code."""
    return _join("CTF", code)


def decision(employer: str, competency: str) -> str:
    """`E#504#DEC#NHS|CSTF|Fire Safety - 1 Year|`: what was decided last about arranging training, in the person's partition."""
    return _join("E", employer, "DEC", competency)


def external_training(employer: str, training_id: str) -> str:
    """`E#504#XTR#01J9…`: training done elsewhere, in the person's partition."""
    return _join("E", employer, "XTR", training_id)


def external_trainings(employer: str) -> str:
    """`E#504#XTR#`: the beginning of the sort keys of one person's external training at one employer."""
    return _join("E", employer, "XTR") + SEPARATOR


def subscription(employer: str, certification: str) -> str:
    """`E#504#SUB#504-als`: how somebody stands to a certification, in the person's partition."""
    return _join("E", employer, "SUB", certification)


def subscribers(employer: str, certification: str) -> str:
    """gsi1 `E#504#SUBS#504-als`: everybody's subscriptions to a certification, at an employer."""
    return _join("E", employer, "SUBS", certification)


def subscriber_sort(status: str, due_on: date | None, person_id: str) -> str:
    """gsi1 sort `subscribed#2026-12-23#01J9…`: by state, then by the day on which something is due."""
    return _join(status, due_on.isoformat() if due_on else "-", person_id)


def approvals(employer: str, approver: str) -> str:
    """gsi1 `E#504#APR#01J9…`: what waits for somebody's approval."""
    return _join("E", employer, "APR", approver)


def approval_sort(at: datetime, person_id: str, training_id: str) -> str:
    """gsi1 sort `2026-11-23T09:00:00Z#01J9…#01JD…`: in the order of asking."""
    return _join(instant(at), person_id, training_id)


def enrolment_approvals(employer: str) -> str:
    """gsi1 `E#504#ASK`: requested enrolments of an employer, by who is asked."""
    return _join("E", employer, "ASK")


def asked_of(approver: str | None) -> str:
    """`M#01J9…#`: the beginning of the sort keys of what waits for somebody; `A#` of what waits for the learning administrators."""
    return (_join("M", approver) if approver else "A") + SEPARATOR


ASKED_OF_MANAGERS = "M#"
"""The beginning of the sort keys of what waits for anybody but the learning administrators."""


def enrolment_approval_sort(approver: str | None, at: datetime, person_id: str, class_id: str, attempt: int) -> str:
    """gsi1 sort `M#01J8…#2026-11-23T09:00:00Z#01J9…#504-c17#001`: by who is asked, then in the order of asking."""
    return asked_of(approver) + _join(instant(at), person_id, class_id, f"{attempt:03d}")


def completions_to_verify(employer: str) -> str:
    """gsi1 `E#504#VFY`: completions that award once an administrator has verified them."""
    return _join("E", employer, "VFY")


def completion_to_verify_sort(at: datetime, person_id: str, class_id: str, attempt: int) -> str:
    """gsi1 sort `2026-11-23T09:00:00Z#01J9…#504-c17#001`: first noted first."""
    return _join(instant(at), person_id, class_id, f"{attempt:03d}")


def delegation(employer: str, delegation_id: str) -> str:
    """`E#504#DLG#01JD…`: sort key in the partition of whoever is away."""
    return _join("E", employer, "DLG", delegation_id)


def delegations(employer: str) -> str:
    """`E#504#DLG#`: the beginning of the sort keys of one person's delegations at one employer."""
    return _join("E", employer, "DLG") + SEPARATOR


def delegated_to(employer: str, person_id: str) -> str:
    """gsi1 `E#504#DLG#01J9…`: what is delegated to somebody, sorted by its last day and id."""
    return _join("E", employer, "DLG", person_id)


def delegation_sort(ends_on: date, delegation_id: str) -> str:
    """gsi1 sort `2026-12-31#01JD…`."""
    return _join(ends_on.isoformat(), delegation_id)


def unreachable(employer: str) -> str:
    """`E#504#UNR`: that e-mail does not reach somebody, in their partition; and gsi1, to list them."""
    return _join("E", employer, "UNR")


def unreachable_sort(noted_at: datetime, person_id: str) -> str:
    """gsi1 sort `2026-11-23T09:00:00Z#01J9…`: by when it was noted."""
    return _join(instant(noted_at), person_id)


def external_training_queue(employer: str) -> str:
    """gsi2 `E#504#XTR`: external training that is not decided, for administrators."""
    return _join("E", employer, "XTR")


def external_training_queue_sort(queue: str, at: datetime, person_id: str, training_id: str) -> str:
    """gsi2 sort `verification#2026-11-23T09:00:00Z#01J9…#01JD…`: by what it waits for, then in the order of asking."""
    return _join(queue, instant(at), person_id, training_id)


def transfer(transfer_id: str) -> str:
    """`IAT#01J9…`: a transfer of training from one employer to another, in the person's partition."""
    return _join("IAT", transfer_id)


TRANSFERS = "IAT#"
"""The beginning of the sort keys of somebody's transfers."""


def transfers_to(employer: str) -> str:
    """gsi1 `E#504#IAT#IN`: open transfers that this employer asked for."""
    return _join("E", employer, "IAT", "IN")


def transfers_from(employer: str) -> str:
    """gsi2 `E#504#IAT#OUT`: transfers that wait for this employer to release them."""
    return _join("E", employer, "IAT", "OUT")


def transfer_sort(queue: str, at: datetime, person_id: str, transfer_id: str) -> str:
    """`decision#2026-11-23T09:00:00Z#01J9…#01JD…`: by what it waits for, then in the order of asking."""
    return _join(queue, instant(at), person_id, transfer_id)


TRANSFER_SETTINGS = "TRANSFERS"
"""In an employer's partition: what it has set about transfers."""


def snapshot(employer: str, number: str) -> str:
    """`E#504#CMP#20059417-2`: the compliance snapshot of one assignment."""
    return _join("E", employer, "CMP", number)


def snapshot_sort(person_id: str, number: str) -> str:
    """gsi1 sort `CMP#01J9…#20059417-2`."""
    return _join("CMP", person_id, number)


def due(employer: str) -> str:
    """gsi2 `E#504#DUE`: snapshots by the next day on which time alone changes something."""
    return _join("E", employer, "DUE")


def due_sort(day: date, person_id: str, number: str) -> str:
    """gsi2 sort `2026-12-01#01J9…#20059417-2`."""
    return _join(day.isoformat(), person_id, number)


# --- an employer's structure and rules ----------------------------------------------------------------------


def owner(owner_id: str) -> str:
    """`E#504` or `E#NHS`: the partition of an owner's structure and versions."""
    return _join("E", owner_id)


SETTINGS = "SETTINGS"
RULES = "RULES"
MESSAGES = "MESSAGES"
CATALOGUE = "CATALOGUE"
FIRST_ADMINISTRATOR = "FIRST_ADMINISTRATOR"


def unit(unit_id: str) -> str:
    """`UNIT#ward-9`."""
    return _join("UNIT", unit_id)


def job(job_id: str) -> str:
    """`JOB#staff-nurse`."""
    return _join("JOB", job_id)


def position(position_id: str) -> str:
    """`POS#staff-nurse-ward-9`."""
    return _join("POS", position_id)


def staff_group(group_id: str) -> str:
    """`GRP#nursing-registered`."""
    return _join("GRP", group_id)


def learner_group(group_id: str) -> str:
    """`LGR#agency-nurses`."""
    return _join("LGR", group_id)


def category(category_id: str) -> str:
    """`CAT#fire-safety`: a subject of the catalogue."""
    return _join("CAT", category_id)


def framework(owner_id: str) -> str:
    """`E#NHS#FRW`: the competencies of an owner; the sort key is the full name."""
    return _join("E", owner_id, "FRW")


def requirements(employer: str) -> str:
    """`E#504#REQ`: all requirements of an employer, one partition, cached by rules version."""
    return _join("E", employer, "REQ")


def requirement(kind: str, target: str, competency: str, starts_on: date) -> str:
    """`UNIT#ward-9#NHS|CSTF|Fire Safety - 1 Year|#2026-04-01`."""
    return _join(kind, target, competency, starts_on.isoformat())


def requirement_of(competency: str) -> str:
    """gsi1 `COMP#NHS|CSTF|Fire Safety - 1 Year|`: where a competency is required."""
    return _join("COMP", competency)


def requirement_of_sort(employer: str, kind: str, target: str, starts_on: date) -> str:
    """gsi1 sort `E#504#UNIT#ward-9#2026-04-01`."""
    return _join("E", employer, kind, target, starts_on.isoformat())


def counters(employer: str) -> str:
    """`E#504#AGG`: the counters of leaf units, sort key `UNIT#…`."""
    return _join("E", employer, "AGG")


def unit_counter(unit_id: str) -> str:
    """`UNIT#ward-9`: sort key of a unit's counters."""
    return _join("UNIT", unit_id)


def competency_counters(employer: str) -> str:
    """`E#504#CAG`: the same counters by competency, sort key `UNIT#ward-9#NHS|CSTF|Fire Safety - 1 Year|`."""
    return _join("E", employer, "CAG")


def competency_counter(unit_id: str, competency: str) -> str:
    """`UNIT#ward-9#NHS|CSTF|Fire Safety - 1 Year|`."""
    return _join("UNIT", unit_id, competency)


def run(day: date) -> str:
    """`RUN#2026-12-01`: the daily runs of that day, sort key `E#504`."""
    return _join("RUN", day.isoformat())


def work(employer: str, ulid: str) -> str:
    """`E#504#JOB#01J9…`: a long job and its progress (jobs people hold are `JOB#` under `E#504`)."""
    return _join("E", employer, "JOB", ulid)


def part(name: str) -> str:
    """`PART#ward-9`: a finished part of a long job, with its result. A name may hold `#`, since it ends the key."""
    return f"PART{SEPARATOR}{name}"


def works(employer: str) -> str:
    """gsi1 `E#504#JOBS`: the long jobs of an employer, sorted by their ULID."""
    return _join("E", employer, "JOBS")


def works_of_kind(employer: str, kind: str) -> str:
    """gsi2 `E#504#JOBS#workforce file`: those of one kind, sorted alike."""
    return _join("E", employer, "JOBS", kind)


EMPLOYERS = "EMPLOYERS"
"""The partition that lists every employer, sort key `E#504`."""


def idempotency(person_id: str, key: str) -> str:
    """`IDEM#01J9…#book-once`: what a POST with this Idempotency-Key answered. Keys hold no `#` (checked at the edge)."""
    return _join("IDEM", person_id, key)


# --- catalogue ----------------------------------------------------------------------------------------------

META = "META"
SEATS = "SEATS"


def courses(owner_id: str) -> str:
    """`E#504#CRS`: the whole catalogue of an owner, one partition, cached by catalogue version (decision 0003)."""
    return _join("E", owner_id, "CRS")


def course(course_id: str) -> str:
    """`504-fire#META`: a course; its other rows sort right after it."""
    return _join(course_id, META)


def venue_entry(venue_id: str) -> str:
    """`VEN#seminar-1`: a venue in the register."""
    return _join("VEN", venue_id)


def synonyms(synonyms_id: str) -> str:
    """`SYN#cpr`: words that mean the same."""
    return _join("SYN", synonyms_id)


def offering(course_id: str, offering_id: str) -> str:
    """`504-fire#OFF#classroom`."""
    return _join(course_id, "OFF", offering_id)


def access_rule(course_id: str, rule_id: str) -> str:
    """`504-fire#ACC#01`."""
    return _join(course_id, "ACC", rule_id)


def class_(owner_id: str, class_id: str) -> str:
    """`E#504#CLS#504-c17`: a class: META, SEATS and sessions."""
    return _join("E", owner_id, "CLS", class_id)


def session(number: int) -> str:
    """`SES#01`."""
    return _join("SES", f"{number:02d}")


def classes_of_month(owner_id: str, starts_at: datetime) -> str:
    """gsi1 of SEATS `E#504#CLS#2026-12`: the classes that start in a UTC month."""
    return _join("E", owner_id, "CLS", starts_at.astimezone(UTC).strftime("%Y-%m"))


UNDATED = "9999-12-31T00:00:00Z"
"""Where a start is part of a sort key and a class has none (e-learning): after every date."""


def class_sort(starts_at: datetime | None, class_id: str) -> str:
    """`2026-12-01T09:00:00Z#504-c17`."""
    return _join(instant(starts_at) if starts_at else UNDATED, class_id)


def classes_of_course(owner_id: str, course_id: str) -> str:
    """gsi2 of SEATS `E#504#OFF#504-fire`: the classes of a course with their places, by start."""
    return _join("E", owner_id, "OFF", course_id)


def venue(owner_id: str, venue_id: str) -> str:
    """gsi1 of a session `E#504#VEN#seminar-1`."""
    return _join("E", owner_id, "VEN", venue_id)


def instructor(owner_id: str, person_id: str) -> str:
    """gsi2 of a session `E#504#INS#01J9…`."""
    return _join("E", owner_id, "INS", person_id)


def timers(employer: str) -> str:
    """`E#504#TMR`: what is to be done at an instant, by that instant (decision 0024)."""
    return _join("E", employer, "TMR")


def timer_sort(at: datetime, kind: str, subject: str) -> str:
    """`2026-12-01T09:00:00Z#class start#504-c17`: the same for the same thing, however often it is set."""
    return _join(instant(at), kind, subject)


# --- notices ------------------------------------------------------------------------------------------------


def notices(employer: str) -> str:
    """`E#504#NTC`: the notices of an employer, sorted by their ULID."""
    return _join("E", employer, "NTC")


def notices_by(employer: str, person_id: str) -> str:
    """gsi1 `E#504#NTC#01J9…`: those that somebody wrote, sorted alike."""
    return _join("E", employer, "NTC", person_id)


def stopped_notices(employer: str) -> str:
    """`E#504#NTC#STOPPED`: those that were stopped, sorted by their ULID."""
    return _join("E", employer, "NTC", "STOPPED")


def recipients(part: str) -> str:
    """`TO#001`: in the partition of the job that writes a notice, whom one part of it tells."""
    return _join("TO", part)


# --- schedules and calendar feeds -----------------------------------------------------------------------------


def schedule(owner_id: str, batch: str) -> str:
    """`E#504#BAT#01J9…`: a schedule's plan, sort key META. Its classes are `504-01J9…-001` and so on (decision 0019)."""
    return _join("E", owner_id, "BAT", batch)


def schedules(owner_id: str) -> str:
    """gsi1 `E#504#BAT`: an owner's schedules, by when they were made."""
    return _join("E", owner_id, "BAT")


def schedule_sort(made_at: datetime, batch: str) -> str:
    """gsi1 sort `2026-11-23T09:00:00Z#01J9…`."""
    return _join(instant(made_at), batch)


def calendar_feed(feed_id: str) -> str:
    """`FEED#9f86d0…`, pk and sk: a calendar feed, by the hash of its secret address."""
    return _join("FEED", feed_id)


def calendar_feeds(employer: str, person_id: str) -> str:
    """gsi1 `E#504#FEEDS#01J9…`: somebody's calendar feeds at an employer, sorted by when they were made."""
    return _join("E", employer, "FEEDS", person_id)


# --- messages and audit -------------------------------------------------------------------------------------

EVENT_SHARDS = 8
PENDING_SHARDS = 16
AUDIT_SHARDS = 4


def shard(text: str, shards: int) -> str:
    """A stable shard number of a text, so that one writer's rows spread over partitions."""
    return str(sum(text.encode()) % shards)


def event(at: datetime, event_id: str) -> str:
    """`EVT#2026-11-23T09:00#3`: events of a minute, in eight shards."""
    return _join("EVT", at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M"), shard(event_id, EVENT_SHARDS))


def notification(at: datetime, natural_key: str) -> str:
    """`N#2026-11-23T09:00:00Z#01J9….enrolment_confirmed`: sorts by when it became due, and is the same on every replay."""
    return _join("N", instant(at), natural_key)


NOTIFICATIONS = "N#"
"""The beginning of the sort keys of somebody's notifications."""

KEPT = "D#"
"""The beginning of the sort keys of what waits for somebody's digests, or was told by one."""


def notified_from(at: datetime) -> str:
    """`N#2026-11-23T09:00:00Z`: where the notifications of an instant begin."""
    return _join("N", instant(at))


def pending(shard_number: int) -> str:
    """`PENDING#7`: notifications whose e-mail is not sent yet."""
    return _join("PENDING", str(shard_number))


def daily_cap(employer: str) -> str:
    """`CAP#504`: how many e-mails an employer has sent, sort key the London day."""
    return _join("CAP", employer)


def unread(person_id: str) -> str:
    """`P#01J9…#UNREAD`: the index `unread` holds somebody's unread messages, and beside them those below."""
    return _join("P", person_id, "UNREAD")


def archived(person_id: str) -> str:
    """`P#01J9…#ARCHIVED`: what somebody has put away."""
    return _join("P", person_id, "ARCHIVED")


def unlisted(person_id: str) -> str:
    """`P#01J9…#UNLISTED`: digests that are in no inbox: not sent yet, or of messages that are there anyway."""
    return _join("P", person_id, "UNLISTED")


def kept_for_digest(person_id: str, employer: str) -> str:
    """`P#01J9…#DIGEST#504`: news of somebody's people, by the digest that tells it."""
    return _join("P", person_id, "DIGEST", employer)


def kept_for_digest_sort(due: datetime, natural_key: str) -> str:
    """`2026-11-23T16:00:00Z#01J9….enrolment_confirmed_in_team`."""
    return _join(instant(due), natural_key)


def kept(employer: str, natural_key: str) -> str:
    """`D#504#01J9….enrolment_confirmed_in_team`: news of somebody's people, the same on every replay."""
    return _join("D", employer, natural_key)


def audit(employer: str, day: date, entry_id: str) -> str:
    """`E#504#2026-11-23#2`: the audit of an employer's day, in four shards."""
    return _join("E", employer, day.isoformat(), shard(entry_id, AUDIT_SHARDS))
