#!/bin/sh
# Logs one audit event and prints its id as JSON: {"audit_id": "…", "recorded_by": "collector" | "trail"}.
#
#   log-audit-event.sh '{"userId": "alice", "action": "file_read", "resource": "/data/x.csv", "outcome": "success"}'
#   log-audit-event.sh < event.json
#
# With AUDIT_AGGREGATOR_URL (and AUDIT_API_KEY) the event goes to that collector; when the collector does not take it, or none is set, it goes into the trail of
# this machine, which is durable before this program answers. Exit status 0 means that the event is recorded; anything else means that it is not.
set -u

# 1 MiB: an event is a record of what happened, not the data itself.
bytes_max=1048576

fail() { printf 'log-audit-event: %s\n' "$1" >&2; exit "${2:-1}"; }

event=$(if [ $# -gt 0 ]; then printf '%s' "$*"; else head -c $((bytes_max + 1)); fi)
[ "${#event}" -le "$bytes_max" ] || fail "the event has more than $bytes_max bytes" 64
case $event in
  *'{'*) ;;
  *) fail "the event must be one JSON object" 64 ;;
esac

new_id() {
  if [ -r /proc/sys/kernel/random/uuid ]; then cat /proc/sys/kernel/random/uuid; else uuidgen | tr 'A-F' 'a-f'; fi
}
id=$(new_id) || fail "cannot make an id"
session=${CLAUDE_CODE_SESSION_ID:-${CLAUDE_SESSION_ID:-}}

# Members of ours go first; the recorder refuses an object with one name twice, so what the caller wrote is never changed in silence.
head="{\"audit_id\":\"$id\""
case $event in
  *'"timestamp"'*) ;;
  *) head="$head,\"timestamp\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"" ;;
esac
case $event in
  *'"sessionId"'* | *'"session_id"'*) ;;
  *) [ -z "$session" ] || head="$head,\"sessionId\":\"$session\"" ;;
esac
case $event in
  *'"audit_id"'* | *'"event_id"'*) fail "the event brings an id of its own: leave it out" 64 ;;
esac
rest=${event#*\{}
# An empty object has no member to be parted from.
case $(printf '%s' "$rest" | tr -d ' \t\r\n') in
  '}') fail "the event is empty" 64 ;;
esac
record="$head,$rest"

to_collector() {
  [ -n "${AUDIT_AGGREGATOR_URL:-}" ] || return 1
  command -v curl >/dev/null 2>&1 || return 1
  # The key goes in by a file descriptor: the command line of a process can be read by everybody.
  answer=$(printf '%s' "[$record]" | curl --silent --fail --max-time 10 --header 'Content-Type: application/json' \
    --config /dev/fd/3 --data-binary @- "$AUDIT_AGGREGATOR_URL" 3<<KEY
header = "Authorization: Bearer ${AUDIT_API_KEY:-}"
KEY
  ) || return 1
  case $answer in
    *'"sealed"'* | *'"known"'*) return 0 ;;
    *'"rejected"'*) fail "the collector refused the event: $answer" ;;
    *) return 1 ;;
  esac
}

if to_collector; then
  printf '{"audit_id": "%s", "recorded_by": "collector"}\n' "$id"
  exit 0
fi
command -v sealtrail >/dev/null 2>&1 || fail "no collector took the event, and there is no sealtrail on the path"
printf '%s' "$record" | sealtrail --quiet --no-input import events - >&2 || fail "the trail did not take the event"
printf '{"audit_id": "%s", "recorded_by": "trail"}\n' "$id"
