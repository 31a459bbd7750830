#!/usr/bin/env bash
# Generates config.pb.go and README.md beside config.proto, lints the proto, and draws hack/pictures. The output is reproducible: every tool
# is pinned, the plugins in hack/tools/go.mod, buf in hack/buf-requirements.txt, validate.proto here.
set -euo pipefail
cd "$(dirname "$0")/.."

validate_module=github.com/bufbuild/protovalidate@v1.2.0
validate_sum='h1:+so+PWkiwumsRSLv3J0jQQMWuoTFJQ7awMPRg2ZDD2U='

cache=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis
venv=$cache/buf-$(sed -n 's/^buf-bin==\([0-9.]*\).*/\1/p' hack/buf-requirements.txt)
if [ ! -x "$venv/bin/buf" ]; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
		-r hack/buf-requirements.txt
fi

# go prints JSON with one field a line.
field() { sed -n "s/^[[:space:]]*\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p"; }
download=$(go mod download -json "$validate_module")
if [ "$(field Sum <<<"$download")" != "$validate_sum" ]; then
	echo "generate: $validate_module does not have the pinned sum" >&2
	exit 1
fi

# buf requires all modules of a workspace below one folder, so it gets copies of both.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/validate/buf/validate" "$work/proto/portcullis/config/v1"
cp "$(field Dir <<<"$download")/proto/protovalidate/buf/validate/validate.proto" "$work/validate/buf/validate/"
chmod -R u+w "$work/validate"
cp proto/portcullis/config/v1/config.proto "$work/proto/portcullis/config/v1/"
cp hack/generate/buf.yaml "$work"

"$venv/bin/buf" lint "$work/proto"
"$venv/bin/buf" format --diff --exit-code "$work/proto" >&2
"$venv/bin/buf" generate "$work/proto" --template hack/generate/buf.gen.yaml --output proto
go run ./hack/pictures
