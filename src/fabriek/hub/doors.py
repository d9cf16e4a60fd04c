"""Who is calling, and which repository they mean: asked first at every route of the hub.

A name that nobody gave and one that is not the caller's to see are told apart nowhere: one
query finds the repository among those they may see, and nothing else is done in either case.
"""

import base64
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext as _

from fabriek.agreements import policy
from fabriek.agreements.policy import Moment, Wish
from fabriek.cases.models import Case
from fabriek.cases.rules import takes_part
from fabriek.cases.states import CaseState
from fabriek.hub import lean, refusals
from fabriek.kernel.errors import Invalid, NotAllowed, WrongState
from fabriek.people import tokens
from fabriek.people.models import Person, Scope, Token
from fabriek.runs import hub_keys
from fabriek.runs.models import Run
from fabriek.store import queries as store
from fabriek.store.models import Repository, Revision

KINDS = {"models": Repository.Kind.MODEL, "datasets": Repository.Kind.DATASET}


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """A repository, and the person who came for it; or the job of a run, for who asked it."""

    person: Person
    repository: Repository
    run: Run | None = None


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
    token = token_of(request)
    if writes and token.scope == Scope.READ:
        raise NotAllowed(
            _("This token may only look. Make one that may do everything, and use that."),
            code="token_scope",
        )
    return token.person


def seen(request: HttpRequest, kind: str, namespace: str, name: str) -> Door:
    """Let somebody in who may see that it exists. `kind`: as in addresses, `datasets`.

    Raises: NotSignedIn, RepoNotFound.
    """
    run = hub_keys.find(_key_of(request))
    if run:
        found = _usable(run, kind, namespace, name)
        return Door(person=run.asked_by, repository=found, run=run)
    person = person_of(request)
    return Door(person=person, repository=visible(person, kind, namespace, name))


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
    person = person_of(request, writes=True)
    door = Door(person=person, repository=visible(person, kind, namespace, name))
    require_write(person, door.repository)
    return door


def visible(person: Person, kind: str, namespace: str, name: str) -> Repository:
    """Find a repository by name.

    Raises: RepoNotFound, for an unknown name and for one of others alike.
    """
    found = lean.repository(person, KINDS[kind], namespace, name)
    if found is None:
        raise refusals.repo_not_found()
    return found


def _usable(run: Run, kind: str, namespace: str, name: str) -> Repository:
    among = policy.usable_by(run.case).select_related("case")
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
    """Let a job read what could have been laid out for it; nothing leaves by that."""
    wish = Wish(
        moment=Moment.READ,
        repository=repository,
        case=run.case,
        run=run.code,
        on_behalf_of=run.asked_by,
        revision=revision.number if revision else None,
    )
    decision = policy.decide(wish)
    if not decision.allowed:
        raise refusals.Gated(decision.sentence, code=decision.code)
    if revision is None:
        return
    try:
        hub_keys.require_use(run, revision)
    except Invalid as error:
        raise refusals.repo_not_found() from error
    except NotAllowed as refusal:
        raise refusals.Gated(refusal.sentence, code=refusal.code) from refusal


def require_write(person: Person, repository: Repository) -> None:
    """See that it is of their case, and that this is open. Raises: NotAllowed, WrongState."""
    case = repository.case
    if case is None or not takes_part(person, case):
        raise NotAllowed(
            _("Only people of the organisations in its case may change this."),
            code="not_allowed",
        )
    # As it is now, not as it was read: a case may be closed meanwhile.
    if not Case.objects.filter(pk=case.pk, state=CaseState.OPEN).exists():
        raise WrongState(
            _("Files can be changed while the case is open, and %(case)s is not.")
            % {"case": case}
        )
