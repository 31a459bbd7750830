#!/usr/bin/env bash
# Builds the image for amd64 and arm64 into an OCI archive: deploy/image.sh VERSION [FILE], bin/image/portcullis.tar if no file is named.
# It needs buildah (on Debian: apt-get install buildah), but no daemon and no image store of root.
#
# GO is the go command. CA_CERTIFICATES is the file of certificate authorities; by default the system's.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: deploy/image.sh VERSION [FILE]}
archive=${2:-bin/image/portcullis.tar}

command -v buildah >/dev/null || {
	echo "image: no buildah: deploy/tools.sh buildah, or on Debian, as root: apt-get install --no-install-recommends buildah" >&2
	exit 1
}

authorities() {
	local file
	for file in "${CA_CERTIFICATES:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
		if [ -s "$file" ]; then
			echo "$file"
			return
		fi
	done
	echo "image: no file of authorities: install ca-certificates, or set CA_CERTIFICATES" >&2
	return 1
}

mkdir -p "$(dirname "$archive")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/context"
certificates=$(authorities)
install -m 0644 "$certificates" "$work/context/ca-certificates.crt"
for arch in amd64 arm64; do
	# Reproducible files do not depend on user, folder or time: -trimpath, no build id here, and --timestamp below.
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch "${GO:-go}" build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" \
		-o "$work/context/portcullis-linux-$arch" ./cmd/portcullis
	chmod 0755 "$work/context/portcullis-linux-$arch"
done

# A separate storage, so that other images of this name are not changed.
store=(--storage-driver vfs --root "$work/storage" --runroot "$work/run")
for arch in amd64 arm64; do
	buildah "${store[@]}" bud --quiet --isolation chroot --timestamp 0 --platform "linux/$arch" --build-arg "VERSION=$version" \
		--manifest portcullis --file deploy/Dockerfile "$work/context" >/dev/null
done
rm -f "$archive"
buildah "${store[@]}" manifest push --quiet --all portcullis "oci-archive:$archive:$version" >/dev/null
echo "image: $archive"
