"""Who is calling, and which repository they mean: asked first at every route of the hub.

A name that nobody gave and one that is not the caller's to see are told apart nowhere: one
query finds the repository among those they may see, and nothing else is done in either case.
"""

import base64
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.agreements import policy, reasons
from fabriek.agreements.policy import Moment, Wish
from fabriek.cases.models import Case
from fabriek.cases.rules import takes_part
from fabriek.cases.states import CaseState
from fabriek.datasets import rules as datasets
from fabriek.hub import lean, queries, refusals
from fabriek.kernel.errors import NotAllowed, WrongState
from fabriek.lab import queries as lab
from fabriek.lab.rules import is_lab
from fabriek.people import tokens
from fabriek.people.models import Person, Scope, Token
from fabriek.runs import hub_keys, use
from fabriek.runs.models import Run
from fabriek.store import queries as store
from fabriek.store.models import Repository, Revision

KINDS = {"models": Repository.Kind.MODEL, "datasets": Repository.Kind.DATASET}


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """A repository, and the person who came for it; or the job of a run, for who asked it.

    `token`: by which somebody may write.
    """

    person: Person
    repository: Repository
    run: Run | None = None
    token: Token | None = None

    @property
    def writer(self) -> Token:
        """Give the token by which somebody was let in to write."""
        if self.token is None:
            raise refusals.wrong_token()
        return self.token


def token_of(request: HttpRequest) -> Token:
    """Find the token that a program sends. Raises: NotSignedIn; NotAllowed, for a job's."""
    key = _key_of(request)
    found = tokens.find(key)
    if found is None:
        if hub_keys.find(key):
            raise NotAllowed(_("The job of a run may only read here."), code="token_scope")
        raise refusals.wrong_token()
    return found


def _key_of(request: HttpRequest) -> str:
    scheme, _space, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if not key:
        raise refusals.no_token()
    if scheme.lower() == "basic":  # git, and readers of Croissant: the token is the password
        return _password(key)
    return key.strip() if scheme.lower() == "bearer" else ""


def _password(told: str) -> str:
    try:
        name_and_password = base64.b64decode(told.strip(), validate=True).decode()
    except ValueError:
        return ""
    return name_and_password.partition(":")[2]


def person_of(request: HttpRequest, *, writes: bool = False) -> Person:
    """Tell who calls. Raises: NotSignedIn; NotAllowed, when a reading token would write."""
    token = writer(request) if writes else token_of(request)
    return token.person


def writer(request: HttpRequest) -> Token:
    """Find the token of somebody who may write. Raises: NotSignedIn, NotAllowed."""
    token = token_of(request)
    if token.scope == Scope.READ:
        raise NotAllowed(
            _("This token may only look. Make one that may do everything, and use that."),
            code="token_scope",
        )
    return token


def still_good(token_id: int, person_id: int) -> Token | None:
    """Find the token that a link or a key was made for, unless it ended since.

    Whoever takes a token away means all that came of it.
    """
    rows = Token.objects.select_related("person").filter(pk=token_id, person=person_id)
    token = rows.filter(person__is_active=True).exclude(scope=Scope.READ).first()
    return token if token and token.is_valid(timezone.now()) else None


def require_still_write(door: Door) -> None:
    """Ask again at the end of what is sent: who may not any more could keep a call open.

    Raises: NotSignedIn, NotAllowed, WrongState.
    """
    token = still_good(door.writer.pk, door.person.pk)
    if token is None:
        raise refusals.wrong_token()
    require_write(token.person, door.repository)


def seen(request: HttpRequest, kind: str, namespace: str, name: str) -> Door:
    """Let somebody in who may see that it exists. `kind`: as in addresses, `datasets`.

    Raises: NotSignedIn, RepoNotFound.
    """
    run = hub_keys.find(_key_of(request))
    if run:
        found = _usable(run, kind, namespace, name)
        return Door(person=run.asked_by, repository=found, run=run)
    person = person_of(request)
    found = visible(person, kind, namespace, name, reads=True)
    return Door(person=person, repository=found)


def readable(request: HttpRequest, kind: str, namespace: str, name: str) -> Door:
    """Let somebody in who may have the names of its files and their bytes.

    Of one revision `reading.at` is asked, so that it is written down of which.

    Raises: NotSignedIn, RepoNotFound; Gated, with the reason in words.
    """
    door = seen(request, kind, namespace, name)
    require(door, Moment.READ)
    return door


def writable(request: HttpRequest, kind: str, namespace: str, name: str) -> Door:
    """Let somebody in who may change it now: of the consortium, while the case is open.

    Raises: NotSignedIn, RepoNotFound, NotAllowed, WrongState.
    """
    token = writer(request)
    found = visible(token.person, kind, namespace, name)
    require_write(token.person, found)
    return Door(person=token.person, repository=found, token=token)


def visible(
    person: Person, kind: str, namespace: str, name: str, *, reads: bool = False
) -> Repository:
    """Find a repository by name. `reads`: whether it may be read is decided next.

    Raises: RepoNotFound, for an unknown name and for one of others alike.
    """
    if not (queries.is_sane(namespace) and queries.is_sane(name)):
        raise refusals.repo_not_found()
    found = lean.repository(person, KINDS[kind], namespace, name, reads=reads)
    if found is None:
        raise refusals.repo_not_found()
    return found


def _usable(run: Run, kind: str, namespace: str, name: str) -> Repository:
    if not (queries.is_sane(namespace) and queries.is_sane(name)):
        raise refusals.repo_not_found()
    among = policy.usable_by(run.case, asked_by=run.asked_by).select_related("case")
    found: Repository | None = lean.named(
        among, KINDS[kind], namespace.lower(), name.lower()
    ).first()
    if found is None:
        raise refusals.repo_not_found()
    return found


def require(door: Door, moment: Moment, *, revision: Revision | None = None) -> None:
    """Ask the one place that decides; it writes down what was taken. Raises: Gated."""
    if door.run:
        _require_for(door.run, door.repository, revision or store.latest(door.repository))
        return
    wish = Wish(
        moment=moment,
        repository=door.repository,
        person=door.person,
        revision=revision.number if revision else None,
    )
    decision = policy.decide(wish)
    if not decision.allowed:
        raise refusals.Gated(decision.sentence, code=decision.code)


def _require_for(run: Run, repository: Repository, revision: Revision | None) -> None:
    """Let a job read what could have been laid out for it; nothing leaves by that.

    Of a session, what everybody may have who was in it: they can read the key, and the files.
    """
    number = revision.number if revision else None
    inside = lab.people_let_in(run) if is_lab(run) else []
    still = [one for one in inside if takes_part(one, run.case)]
    decision = use.fetch(run, repository, number, inside=still)
    if decision.allowed:
        return
    if decision.code == reasons.NOT_YOURS:
        raise refusals.repo_not_found()
    raise refusals.Gated(decision.sentence, code=decision.code)


def require_write(person: Person, repository: Repository) -> None:
    """See that it is of their case, and that this is open; and that they lead what is public.

    Raises: NotAllowed, WrongState.
    """
    case = repository.case
    if case is None or not takes_part(person, case):
        raise NotAllowed(
            _("Only people of the organisations in its case may change this."),
            code="not_allowed",
        )
    datasets.require_save(person, repository)
    # As it is now, not as it was read: a case may be closed meanwhile.
    if not Case.objects.filter(pk=case.pk, state=CaseState.OPEN).exists():
        raise WrongState(
            _("Files can be changed while the case is open, and %(case)s is not.")
            % {"case": case}
        )
