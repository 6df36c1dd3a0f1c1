#!/usr/bin/env bash
# Installs what building (`install.sh build`), the servers to try things with (`install.sh servers`) or
# testing (`install.sh`) need on a fresh Debian or Ubuntu machine that has Rust; each also what those
# before it need. What is there already is left alone. As root, or with sudo.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
purpose=${1:-test}
case $purpose in build|servers|test) ;; *) sed -n '2,4p' "$0" >&2; exit 2 ;; esac

packages=()
need() { # PACKAGE COMMAND…: the package is wanted if the command fails
  local package=$1; shift
  "$@" > /dev/null 2>&1 || packages+=("$package")
}
installed() { command -v "$1"; }
java_17() { java -version 2>&1 | grep -Eq 'version "(1[7-9]|[2-9][0-9])' && javac -version; }

# Debian starts the servers that it installs; the tests want only the programs. Where nothing says
# otherwise already, a policy says so while packages are installed.
without_services() {
  local policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then return 0; fi
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" > /dev/null
  "${sudo[@]}" chmod +x "$policy"
  # shellcheck disable=SC2064 # as it is now
  trap "${sudo[*]} rm -f $policy" EXIT
}

need gcc installed gcc                            # librdkafka, zstd and libdeflate are built from source
need g++ installed g++                            # so is Luau
need make installed make
need pkg-config installed pkg-config
need libssl-dev pkg-config --exists openssl       # TLS and SCRAM of librdkafka
need zlib1g-dev pkg-config --exists zlib
need curl installed curl                          # the lines that `make run` prints
if [ "$purpose" != build ]; then
  need openjdk-17-jdk-headless java_17            # Kafka and Nacos; what starts Nacos is compiled
  need maven installed mvn                        # brings their jars
  need redis-server installed redis-server
fi
if [ "$purpose" = test ]; then
  need openssl installed openssl                  # certificates for Kafka
  need ca-certificates test -s /etc/ssl/certs/ca-certificates.crt  # what the image has
  need tzdata test -d /usr/share/zoneinfo
fi

if [ ${#packages[@]} -gt 0 ]; then
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  echo "installing ${packages[*]}"
  "${sudo[@]}" apt-get update -q
  without_services
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
  case " ${packages[*]} " in *" redis-server "*) "${sudo[@]}" systemctl -q disable redis-server 2> /dev/null || true ;; esac
fi
command -v cargo > /dev/null || { echo "Rust is missing: see https://rustup.rs" >&2; exit 1; }
if [ "$purpose" != build ]; then
  "$here/kafka/kafka.sh" fetch
  "$here/nacos/nacos.sh" fetch
fi
if [ "$purpose" = test ]; then
  "$here/kubernetes/kubernetes.sh" fetch          # helm; needs Go
fi
echo "everything that is needed ($purpose) is installed"
