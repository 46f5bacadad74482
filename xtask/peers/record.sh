#!/usr/bin/env bash
# A hook recorder as people write it: parse with jq, stamp, append, sync.
jq -c --arg at "$(date +%s.%N)" '{at: $at, event: .}' >>"$1" && sync -d "$1"
