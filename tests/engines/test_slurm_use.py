"""What is read from Slurm's controller about one budget."""

from fabriek.engines.slurm_use import Use, use

SAID = """\
Current Association Manager state

Association Records

ClusterName=big Account=a1 UserName= Partition= Priority=0 ID=5
    SharesRaw/Norm/Level/Factor=1/0.04/28/0.00
    ParentAccount=fab-nl(3) Lft=41011 DefAssoc=No
    GrpJobs=N(1) GrpJobsAccrue=N(0)
    GrpSubmitJobs=0(2) GrpWall=N(0.00)
    GrpTRESMins=cpu=N(9),gres/gpu=N(7)
ClusterName=big Account=a1 UserName=portal(0) Partition= Priority=0 ID=8
    ParentAccount= Lft=41012 DefAssoc=No
    GrpSubmitJobs=N(5) GrpWall=N(0.00)

QOS Records

QOS=a1(3)
    UsageRaw=420.000000
    GrpTRESMins=cpu=N(12),mem=N(0),gres/gpu=121(7)
    GrpTRESRunMins=cpu=N(30),gres/gpu=N(30)
    User Limits
      portal
        MaxJobsPU=N(1) MaxJobsAccruePU=N(0) MaxSubmitJobsPU=N(1)
"""


def test_limit_use_and_what_is_kept_are_those_of_the_qos():
    assert use(SAID, "a1") == Use(
        parent="fab-nl",
        is_closed=True,
        jobs=2,
        gpu_minutes_limit=121,
        gpu_minutes_used=7,
        gpu_minutes_promised=30,
    )


def test_an_account_that_the_controller_does_not_know_is_none():
    assert use(SAID, "a2") is None
    assert use("Current Association Manager state\n", "a1") is None


def test_without_a_qos_of_its_own_there_is_no_limit():
    alone = use(SAID.partition("QOS Records")[0], "a1")

    assert (alone.gpu_minutes_limit, alone.gpu_minutes_used) == (None, 0)


def test_an_account_without_a_limit_is_open():
    assert not use(SAID.replace("GrpSubmitJobs=0(2)", "GrpSubmitJobs=N(2)"), "a1").is_closed
