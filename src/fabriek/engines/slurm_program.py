"""The program that a job of ours is, in the language of sh: one text, filled in by `script`.

It keeps the promises of base.py. It also writes, for machines whose accounting forgets or never
was, and for its own next start:

    .times     a line for each start and end
    .stopped   why it stopped the work itself, in one word of those below
    .code      how the work ended on the first of several nodes on which it ended badly
    .bare      a line for each time that Slurm gave a node none of the GPUs asked for

A job that is longer than a partition lets any job be is ended in time and asks Slurm to start
it again (docs/adr/0015): `.times` then says how much of its time is left. What a job writes
into these files is its own loss; who takes too much is stopped by the factory.
"""

import os

TIMES, STOPPED_FOR = ".times", ".stopped"
# What the program ends with when it stopped the work; as timeout(1).
STOPPED = 124
TIMEOUT = "timeout"  # all its time is used
NO_PROGRESS = "no_progress"  # it would go on, but nothing new was saved
NOT_REQUEUED = "not_requeued"  # it would go on, but Slurm does not start it again
NO_GPUS = "no_gpus"  # Slurm started it again and again without its GPUs
# A controller that has just come back may start a job on a node that has not yet said which
# GPUs it has, and give it none (Slurm 22.05). The next start, minutes later, has them.
BARE_STARTS_MAX = 5
# With which work says that nothing is wrong with it: it wants to be started again.
LOST = os.EX_TEMPFAIL
# Writing a large checkpoint to a busy disk takes minutes.
SAVE_AHEAD_S = 300
# From SIGTERM to SIGKILL where the job goes on: whoever needs longer has the checkpoint above.
LINK_GRACE_S = 60

BATCH = """\
#!/bin/sh
# Written by Fabriek.
CR=$(printf '\\r')
umask 027
cd -- {folder} || exit 1
exec </dev/null >/dev/null 2>&1
rm -f exit .stopped .code
saved() {{ find checkpoints -type f ! -name '.*' -printf '%P %s %T@\\n' | sort | cksum; }}
# What goes on must not ask for more than is left of the budget, or Slurm never starts it: whole
# minutes, downwards.
shorten() {{
  [ "$wall" = 0 ] || [ "$rest" -lt "$wall" ] || return
  minutes=$(((rest - 30) / 60))
  [ "$minutes" -lt 1 ] && minutes=1
  scontrol update "jobid=$SLURM_JOB_ID" "timelimit=$minutes"
}}
ended() {{ echo "$1" >exit.part && mv -f exit.part exit; }}
# Once it is asked, Slurm sends SIGTERM here too.
go_on_later() {{
  for pause in 1 5 10 20 40 60 60; do
    (trap '' TERM; scontrol requeue "$SLURM_JOB_ID" || exit 1; "$1"; exit 0) && exit 0
    sleep "$pause"
  done
}}
bares() {{ wc -l <.bare; }}
: >>.times
: >>.bare
held=0 since=
while read -r word at rest; do
  case $at in '' | *[!0-9]*) continue ;; esac
  case $word in
    start) since=$at ;;
    end) [ "$since" ] && held=$((held + at - since)); since= ;;
  esac
done <.times
left=$(({timeout_s} - held)) wall={wall_s} grace={grace_s} word=timeout
gpus=${{SLURM_JOB_GPUS:-$CUDA_VISIBLE_DEVICES}}
if [ -z "$gpus" ] && [ "$left" -gt 0 ]; then
  echo "$SLURM_JOB_ID" >>.bare
  [ "$(bares)" -lt {bare_starts_max} ] && go_on_later true
  echo no_gpus >.stopped
  ended {lost}
  exit {stopped}
fi
began=$(date +%s)
echo "start $began $SLURM_JOB_ID" >>.times
if [ "$left" -le 0 ]; then
  echo timeout >.stopped
  ended 143
  echo "end $(date +%s) $SLURM_JOB_ID" >>.times
  exit {stopped}
fi
until=$left
if [ "$wall" -gt 0 ] && [ "$left" -gt "$wall" ]; then
  word=link grace=$((wall / 5))
  [ "$grace" -gt {link_grace_s} ] && grace={link_grace_s}
  until=$((wall - grace))
fi
ahead=$((until / 2))
[ "$ahead" -gt {save_ahead_s} ] && ahead={save_ahead_s}
before=$(saved) bare=$(bares)
{begin}
setsid sh -c 'trap "" USR1
  sleep "$1" || exit; kill -s USR1 -- "$5"
  sleep "$2" || exit; echo "$4" >.stopped; kill -s "$6" -- "$5"
  sleep "$3"; kill -s "$7" -- "$5"' timer \\
  "$((until - ahead))" "$ahead" "$grace" "$word" "$all" {signals} &
timer=$!
# Slurm sends SIGTERM to every process, so this one need not pass it on.
termed=
trap 'termed=yes' TERM
trap 'kill -s USR1 -- "$all"' USR1
{reap}
kill -s KILL -- "-$timer"
{finish}
why= again=
[ -f .stopped ] && read -r why <.stopped
now=$(date +%s)
rest=$((left - now + began))
# Where Slurm itself ends the job, it alone decides whether that goes on: one that somebody
# cancelled would otherwise live again.
case $why:$code:$termed in
  link:143: | link:137: | link:{lost}:) again=yes why=no_progress ;;
  :{lost}: | {asked_by_slurm}) again=yes ;;
  timeout:*) ;;
  *) why= ;;
esac
[ "$again" ] && [ "$(bares)" -gt "$bare" ] && why=no_gpus
if [ "$again" ] && {{ [ "$why" = no_gpus ] && [ "$(bares)" -lt {bare_starts_max} ] ||
    [ "$(saved)" != "$before" ]; }}; then
  why=not_requeued
  echo "end $now $SLURM_JOB_ID" >>.times
  go_on_later shorten
fi
rm -f .stopped
[ "$why" ] && echo "$why" >.stopped
ended "$code"
echo "end $(date +%s) $SLURM_JOB_ID" >>.times
[ "$why" ] && exit {stopped}
exit "$code"
"""

# A signal that is trapped ends a wait, perhaps while the work itself ends: the shell then still
# knows how (a second wait for what was told gives 127).
REAP = """\
wait "$job"; code=$?
while kill -s 0 "$job"; do wait "$job"; code=$?; done
wait "$job"; told=$?
[ "$told" = 127 ] || code=$told"""

# What listens for nothing must not die of SIGUSR1: it is only asked to save.
ON_ONE = """\
{work}
trap '' USR1
setsid env -i "$@" >>log 2>&1 &
job=$! all=-$job"""
FINISH_ON_ONE = """kill -s KILL -- "-$job\""""
SIGNALS_ON_ONE = "TERM KILL"

# srun passes SIGUSR1 and SIGUSR2 on to all processes of all nodes, but takes SIGTERM as a wish
# to kill them at once. A site may let it kill who is still at work some seconds after the first
# has ended (WaitTime): one node of a program may have hours more to do.
ON_MANY = """\
rm -f .meeting-*
meeting=.meeting-$SLURM_JOB_ID-$began
srun --quiet --label --mpi=none --cpu-bind=none --kill-on-bad-exit=1 --wait=0 \\
  --nodes={nodes} --ntasks-per-node=1 /bin/sh -c {node} node "$meeting" "$grace" >>log 2>&1 &
job=$! all=$job"""
# Where srun ended badly, but the work nowhere, a node was lost.
FINISH_ON_MANY = """\
rm -f .meeting-*
[ "$code" = 0 ] || code={lost}
[ -f .code ] && read -r code <.code
case $code in '' | *[!0-9]*) code=1 ;; esac"""
SIGNALS_ON_MANY = "USR2 TERM"
# Slurm may ask the steps alone to make room (GraceTime), and start the job again later.
ASKED_BY_SLURM = ":143:"

# On each of several nodes. After a bad end it stays for a moment: srun then kills the others,
# who may still have to tell why. Where all were asked to end, each has its own time for that.
NODE = """\
CR=$(printf '\\r')
umask 027
cd -- {folder} || exit 1
echo "Starts on $SLURMD_NODENAME."
meeting=$PWD/$1 grace=$2
# The first node's are in SLURM_JOB_GPUS of all.
gpus=$SLURM_STEP_GPUS
if [ -z "$gpus" ]; then
  echo "Slurm gave $SLURMD_NODENAME none of the GPUs that were asked for."
  echo "$SLURM_JOB_ID" >>.bare
  (set -C; echo {lost} >.code)
  sleep {stay_s}
  exit {lost}
fi
{work}
set -- "FABRIEK_NODES={nodes}" "FABRIEK_NODE=$SLURM_NODEID" "$@"
set -- "FABRIEK_FIRST=$SLURM_LAUNCH_NODE_IPADDR" "FABRIEK_MEETING=$meeting" "$@"
trap '' USR1 USR2
setsid env -i "$@" </dev/null 2>&1 &
job=$!
exec </dev/null >/dev/null 2>&1
asked=
trap 'asked=yes' TERM
trap 'asked=yes; kill -s TERM -- "-$job"
  (trap "" TERM USR2; sleep "$grace"; kill -s KILL -- "-$job") &' USR2
{reap}
kill -s KILL -- "-$job"
[ "$code" = 0 ] && exit 0
(set -C; echo "$code" >.code)
[ "$asked" ] && exit 0
(trap '' TERM USR2; sleep {stay_s})
exit "$code"
"""
STAY_S = 8

# The job's own environment; which GPUs are its own is said on the node.
WORK = """\
set -- {command}
[ -c /dev/nvidia0 ] && set -- "CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES" "$@"
set -- {environment} "FABRIEK_GPUS=$gpus" "$@\""""
