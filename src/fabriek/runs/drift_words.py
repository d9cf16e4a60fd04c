"""What differs between Slurm and our books, in the words of an operator.

English, as all commands of the server speak.
"""

from dataclasses import dataclass

from fabriek.engines.slurm_difference import Difference, What

NOT_THERE = "not there"


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """`mend`: what a person must do, where `fabriek slurm apply` can do nothing."""

    what: str
    slurm: str
    fabriek: str
    mend: str = ""


def said(one: Difference) -> Said:
    """Say what differs in one account."""
    what, slurm, fabriek = WORDS[one.what]
    return Said(
        what=what.format(user=one.user),
        slurm=slurm.format(there=one.there or "none"),
        fabriek=fabriek.format(wanted=one.wanted or "none"),
        mend=MEND.get(one.what, "").format(there=one.there, account=one.account),
    )


# What, in Slurm, in Fabriek.
WORDS = {
    What.NO_GROUP: ("account that holds others", NOT_THERE, "below {wanted}"),
    What.NO_ACCOUNT: ("account", NOT_THERE, "below {wanted}"),
    What.PARENT: ("account it stands below", "{there}", "{wanted}"),
    What.FAIRSHARE: ("fairshare of the share", "{there}", "{wanted}"),
    What.NO_QOS: ("QOS with the limit, in GPU-minutes", NOT_THERE, "{wanted}"),
    What.LIMIT: ("limit of the QOS, in GPU-minutes", "{there}", "{wanted}"),
    What.FLAGS: ("flags of the QOS", "{there}", "{wanted}"),
    What.FACTOR: ("what a GPU-minute counts for in the QOS", "{there}", "{wanted}"),
    What.ALLOWED: ("QOS that its jobs may use", "{there}", "{wanted}"),
    What.IS_CLOSED: ("new jobs", "refused", "let in"),
    What.IS_OPEN: ("new jobs", "let in", "refused"),
    What.STRAY: ("an account that our books do not know", "open, below {there}", "closed"),
    What.NO_MEMBER: ("user {user}", NOT_THERE, "may use it"),
    What.BLOCKED: ("user {user}", "may submit nothing", "may use it"),
    What.STRANGER: ("user {user}", "may use it", "may not"),
    What.OWN_QOS: ("other QOSes that user {user} may use", "{there}", "none"),
    What.FOREIGN: ("an account of this name is not ours", "somebody else's", "below {wanted}"),
    What.FOREIGN_QOS: ("the QOS of this name is not ours", "described as “{there}”", "ours"),
    What.BORROWED: ("others who may use its QOS", "{there}", "nobody"),
}
MEND = {
    What.FOREIGN: (
        "It was left alone. Give that account another name, or move it below ours. Is it the "
        "topmost one? Then let FABRIEK_SLURM_ACCOUNT name another, or say that it is ours: "
        "sacctmgr modify account {account} set description=fabriek"
    ),
    What.FOREIGN_QOS: "It was left alone. Remove or rename that QOS, if nobody needs it.",
    What.BORROWED: (
        "That account is not ours to change. Take the QOS away from it: "
        "sacctmgr modify account {there} set qos-={account}"
    ),
}
