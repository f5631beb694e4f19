"""What happens on the tour: each story is played through the services by the people it is about, at the time it is about.

Where time itself does something, the story plays on earlier days; what is due by now then follows by the running stack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.domain.access import AccessMode, AccessRule
from chalicelib.domain.attendance import Mark
from chalicelib.domain.calendar import london_day, london_time
from chalicelib.domain.catalogue import Certification, Component, Grants
from chalicelib.domain.enrolment import Status
from chalicelib.domain.external_training import Claim, Training
from chalicelib.domain.notices import Audience, AudienceKind
from chalicelib.domain.requirements import Target, TargetKind
from chalicelib.domain.timers import TimerKind
from chalicelib.services import (
    attendance,
    catalogue_items,
    certifications,
    classes,
    deciding,
    digests,
    enrolment,
    external_training,
    notices,
    projection,
    transfers,
    unreachable,
)
from chalicelib.services import auto_enrolment as auto
from chalicelib.services.outbox import deliver
from chalicelib.storage import keys, outbox, rules, timers

from .cast import EMPLOYER, SELF_ENROL, Cast

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


def morning(cast: Cast, days: int) -> datetime:
    """Ten in the morning, London time, so many days from now."""
    return london_time(london_day(cast.now) + days * DAY, 10)


def approval(cast: Cast) -> None:
    """Two ask for a place that needs approval; their manager says yes to one and no to the other."""
    yesterday = cast.now - DAY
    class_ = cast.hold(morning(cast, 20), yesterday, "by-approval")
    for part, first in (("asker", "Ada"), ("other-asker", "Otto")):
        cast.enter(part, first, "Tourasker")
        asked = enrolment.enrol_myself(cast.actor(part), class_.id, yesterday)
        manager = cast.actor("manager")
        if part == "asker":
            deciding.approve(manager, cast.id_of(part), asked.id, None, yesterday)
        else:
            deciding.reject(manager, cast.id_of(part), asked.id, "The ward cannot spare two at once.", yesterday)


def waiting_list(cast: Cast) -> None:
    """One has the only place, another waits; the first gives it back, and the other gets it."""
    class_ = cast.hold(morning(cast, 21), cast.now, maximum=1)
    places = []
    for part, first in (("first", "Fay"), ("second", "Sid")):
        cast.enter(part, first, "Tourgoer")
        places.append(enrolment.enrol_myself(cast.actor(part), class_.id, cast.now))
    enrolment.withdraw_myself(cast.actor("first"), places[0].id, cast.now)


def change_and_cancellation(cast: Cast) -> None:
    """A class gets an instructor, is moved by an hour, and is cancelled after all."""
    start, when = morning(cast, 22), cast.now - HOUR
    class_ = cast.hold(start, when, instructor=cast.id_of("instructor"))
    cast.enter("booked", "Bea", "Tourbooked")
    enrolment.enrol_myself(cast.actor("booked"), class_.id, when)
    later = [type(each)(each.starts_at + HOUR, each.ends_at + HOUR) for each in class_.sessions]
    administrator = cast.administrator
    moved = classes.change(administrator, class_.id, class_.revision, {"sessions": tuple(later)}, when, True).class_
    assert moved.starts_at == start + HOUR
    cast.stack.settle()
    classes.cancel(administrator, class_.id, "The guide is ill.", cast.now)


def class_starts(cast: Cast) -> None:
    """A class has begun; whoever still waited for it waits no longer."""
    two_days_ago = cast.now - 2 * DAY
    class_ = cast.hold(cast.now - timedelta(minutes=5), two_days_ago, maximum=1)
    for part, first in (("on-time", "Oona"), ("too-late", "Theo")):
        cast.enter(part, first, "Tourstart")
        enrolment.enrol_myself(cast.actor(part), class_.id, two_days_ago)


def register(cast: Cast) -> None:
    """The register of a class that was held: one came, one did not."""
    two_days_ago = cast.now - 2 * DAY
    class_ = cast.hold(morning(cast, -1), two_days_ago, instructor=cast.id_of("instructor"))
    marks = []
    for part, first, outcome in (("came", "Cara", Status.COMPLETED), ("absent", "Abe", Status.DID_NOT_ATTEND)):
        cast.enter(part, first, "Tourmarked")
        enrolment.enrol_myself(cast.actor(part), class_.id, two_days_ago)
        marks.append(Mark(cast.id_of(part), outcome))
    attendance.mark(cast.actor("instructor"), class_.id, marks, None, cast.now, lambda: True)


def class_in_a_week(cast: Cast) -> None:
    """A class is a week ahead: whoever is booked is reminded, and too few are coming."""
    nine_days_ago = cast.now - 9 * DAY
    class_ = cast.hold(cast.now + WEEK - timedelta(minutes=5), nine_days_ago, minimum=6)
    cast.enter("reminded", "Rhea", "Tourremind")
    enrolment.enrol_myself(cast.actor("reminded"), class_.id, nine_days_ago)


def training_elsewhere(cast: Cast) -> None:
    """Training done elsewhere is asked for, approved and checked."""
    learner = cast.enter("elsewhere", "Elsa", "Tourabroad")
    training = Training("Study day", "Thistledown School", london_day(cast.now) - DAY, (Claim(cast.competency),))
    request = external_training.draft(learner, training, None, cast.now).request
    external_training.submit(learner, request.id, cast.now)
    external_training.approve(cast.actor("manager"), learner.person, request.id, cast.now)
    external_training.verify(cast.administrator, learner.person, request.id, training.claims, cast.now)


def renewal(cast: Cast) -> None:
    """Something expires in thirty days: whoever holds it is reminded, and so is their manager."""
    cast.enter("renewer", "Rita", "Tourrenewal")
    cast.require("renewer")
    cast.award("renewer", london_day(cast.now) + 30 * DAY)
    cast.stack.settle()
    projection.project(cast.id_of("renewer"), EMPLOYER, cast.now - DAY)  # as yesterday left it; the day's run follows


def certification(cast: Cast) -> None:
    """One achieves a certification; another is ten days late with it."""
    course = cast.teach("component", "Guided tour with a test", access_rules=SELF_ENROL)
    tour_guide = Certification(
        cast.course_id("guide"), "Tour guide", cast.name("subject"), "For whoever shows others round.",
        (Component(course.id),), (Grants(cast.competency),), validity_months=12, access_rules=SELF_ENROL,
    )  # fmt: skip
    catalogue_items.add(cast.administrator, tour_guide, cast.now)
    forty_days_ago = cast.now - 40 * DAY
    class_ = cast.hold(morning(cast, -1), cast.now - 2 * DAY, "component")
    for part, first in (("certified", "Cleo"), ("overdue", "Odo")):
        cast.enter(part, first, "Tourguide")
        certifications.subscribe_myself(cast.actor(part), tour_guide.id, forty_days_ago)
    enrolment.enrol_myself(cast.actor("certified"), class_.id, cast.now - 2 * DAY)
    marks = [Mark(cast.id_of("certified"), Status.COMPLETED)]
    attendance.mark(cast.administrator, class_.id, marks, None, cast.now, lambda: True)


def auto_enrolment(cast: Cast) -> None:
    """Somebody lacks what they need, and is booked on it, as where an employer has switched that on."""
    only_them = (AccessRule("01", AccessMode.SELF_ENROL, (Target(TargetKind.PERSON, cast.id_of("arranged")),)),)
    cast.enter("arranged", "Arno", "Tourarranged")
    cast.require("arranged")
    cast.teach("arranged", "Guided tour for everybody", access_rules=only_them, auto_enrol=True, auto_book=True)
    cast.hold(morning(cast, 24), cast.now, "arranged")
    cast.stack.settle()
    learner = cast.actor("arranged").learner
    assert learner is not None
    rulebook, catalogue = rules.rulebook_and_catalogue(EMPLOYER, consistent=True)
    auto.arrange(learner, replace(rulebook, auto_enrolment=True), catalogue, cast.now)


def two_employers(cast: Cast) -> None:
    """What one employer awards is known to the other that employs the same person."""
    cast.enter("with-two", "Tess", "Tourtwice")
    cast.also_with_the_neighbour("with-two")
    cast.award("with-two", london_day(cast.now) + 200 * DAY)


def transfer(cast: Cast) -> None:
    """Somebody has joined the neighbouring employer, which asks for their training and is given it."""
    cast.enter("mover", "Moira", "Tourmover")
    cast.award("mover", london_day(cast.now) + 200 * DAY)
    cast.stack.settle()
    cast.also_with_the_neighbour("mover")
    asked = transfers.ask(cast.neighbour(), cast.id_of("mover"), EMPLOYER, london_day(cast.now), cast.now).transfer
    transfers.release(cast.administrator, cast.id_of("mover"), asked.id, cast.now)


def notice(cast: Cast) -> None:
    """An administrator writes to everybody on a class."""
    class_ = cast.hold(morning(cast, 25), cast.now)
    for part, first in (("reader", "Rory"), ("other-reader", "Renee")):
        cast.enter(part, first, "Tourreader")
        enrolment.enrol_myself(cast.actor(part), class_.id, cast.now)
    words = "The tour begins at the side door.\n\nThe front door is being painted."
    audience = Audience(AudienceKind.CLASS, class_.id, statuses=(Status.CONFIRMED,))
    notices.send(cast.administrator, notices.Draft((audience,), "Come to the side door", words), cast.now)


def nobody_reached(cast: Cast) -> None:
    """Somebody is booked of whom no e-mail address is held."""
    class_ = cast.hold(morning(cast, 23), cast.now)
    cast.enter("unreachable", "Una", "Touroffline", reachable=False)
    enrolment.enrol_myself(cast.actor("unreachable"), class_.id, cast.now)


def digest_hour(cast: Cast) -> None:
    """The hour of the digest comes for the cast, and administrators hear of who cannot be reached."""
    later = digests.next_at(EMPLOYER, cast.now) + HOUR
    for timer in timers.due(EMPLOYER, later, limit=1_000):
        if timer.kind is TimerKind.UNREACHABLE:
            unreachable.ring(timer, later, lambda: True)
    people = {keys.person(person) for person in cast.people}
    for waiting in [each for each in outbox.due(later) if each.key.pk in people]:
        deliver(waiting.key, later)


STORIES: tuple[Callable[[Cast], None], ...] = (
    approval,
    waiting_list,
    change_and_cancellation,
    class_starts,
    register,
    class_in_a_week,
    training_elsewhere,
    renewal,
    certification,
    auto_enrolment,
    two_employers,
    transfer,
    notice,
    nobody_reached,
)
"""In the order in which they are played."""
