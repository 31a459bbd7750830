#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each. It fails if there is none, because that would look like success.
set -euo pipefail
cd "$(dirname "$0")/.."
time="${1:-20s}"
count=0
while IFS=: read -r file target; do
  package="./$(dirname "$file")"
  printf '== %s %s\n' "$package" "$target"
  go test -run '^$' -fuzz "^${target}\$" -fuzztime "$time" "$package"
  count=$((count + 1))
done < <(git ls-files -co --exclude-standard '*_test.go' | xargs grep -oHE '^func Fuzz[A-Za-z0-9_]+' | sed 's/func //')
if [ "$count" -eq 0 ]; then echo "no fuzz target found" >&2; exit 1; fi
printf '%d fuzz targets ran for %s each\n' "$count" "$time"
