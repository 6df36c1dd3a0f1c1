#!/usr/bin/env bash
# A real helm, and a program that decodes what it renders as an API server would (main.go).
#   kubernetes.sh fetch             build both from source with Go; what is built already is kept
#   kubernetes.sh helm ARGUMENT…    run helm; the one on the PATH, if it is 3.18 or a later 3
#   kubernetes.sh decode < YAML     decode rendered objects strictly, check them, print them as JSON
#   kubernetes.sh json < YAML       print one YAML document as JSON
# go.mod and go.sum pin what is built. A Go from 1.21 on brings the version that go.mod names itself.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${WEIR_SERVICES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/weir-services}
of() { (cd "$here" && cat "$@") | sha256sum | cut -c1-12; }
helm=$cache/helm-$(of go.mod go.sum)
decoder=$cache/kubernetes-$(of go.mod go.sum main.go check.go)

go_1_21() {
  command -v go > /dev/null || PATH=$PATH:/usr/local/go/bin
  go version 2> /dev/null | grep -Eq 'go1\.(2[1-9]|[3-9][0-9])'
}
build() { # FILE PACKAGE
  [ ! -x "$1" ] || return 0
  go_1_21 || { echo "Go 1.21 or later is missing: see https://go.dev/doc/install (Debian 12's golang-go is too old)" >&2; exit 1; }
  mkdir -p "$cache"
  echo "building $2 with $(go version)" >&2
  (cd "$here" && GOTOOLCHAIN=auto CGO_ENABLED=0 go build -ldflags=-s -mod=readonly -trimpath -o "$1.$$" "$2")
  mv "$1.$$" "$1"
}
own_helm() { helm version --short 2> /dev/null | grep -Eq '^v3\.(1[89]|[2-9][0-9])'; }

case ${1:-} in
  fetch) own_helm || build "$helm" helm.sh/helm/v3/cmd/helm; build "$decoder" . ;;
  helm)
    shift
    if own_helm; then exec helm "$@"; fi
    build "$helm" helm.sh/helm/v3/cmd/helm
    exec "$helm" "$@"
    ;;
  decode|json) build "$decoder" .; exec "$decoder" "$1" ;;
  *) sed -n '2,7p' "$0" >&2; exit 2 ;;
esac
