#!/usr/bin/env bash
# Runs a command unless it has passed before with the same files: hack/unless-passed.sh NAME PATH... -- COMMAND...
#
# The script computes a digest of the files from git. It stores the digests with which the command passed as files below
# ${XDG_CACHE_HOME:-~/.cache}/portcullis/passed, outside the clone, because a fresh clone has no earlier commit to compare with. If
# files differ from the commit, or git is missing, the command runs, and nothing is stored.
set -euo pipefail

name=${1:?usage: hack/unless-passed.sh NAME PATH... -- COMMAND...}
shift
paths=()
while [ "${1:?no -- before the command}" != -- ]; do
	paths+=("$1")
	shift
done
shift
cache=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis/passed

# Prints the digest of the paths, or why there is none.
digest() {
	local path changed
	for path in "${paths[@]}"; do
		[ -n "$(git ls-files -- "$path")" ] || {
			echo "$name: git has no $path" >&2
			return 1
		}
	done
	changed=$(git status --porcelain --untracked-files=all -- "${paths[@]}") || return 1
	[ -z "$changed" ] || {
		echo "$name: files are not committed" >&2
		return 1
	}
	git ls-files -s -- "${paths[@]}" | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-64
}

before=$(digest) || before=
if [ -n "$before" ] && [ -e "$cache/$name-$before" ]; then
	echo "$name: skipped, because it passed with the same ${paths[*]} ($(cat "$cache/$name-$before")); remove $cache/$name-$before to run it"
	exit
fi
if [ -n "$before" ]; then echo "$name: runs, because it has not passed yet with what is in ${paths[*]}"; fi
from=$SECONDS
"$@"
echo "$name: passed in $((SECONDS - from)) s"
# Store nothing if files have changed meanwhile, because it is unknown with which of them the command passed.
if [ -n "$before" ] && [ "$(digest)" = "$before" ]; then
	mkdir -p "$cache"
	date -u '+on %Y-%m-%d at %H:%M UTC' >"$cache/.$name-$before.$$"
	mv "$cache/.$name-$before.$$" "$cache/$name-$before"
fi
