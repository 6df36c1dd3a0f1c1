#!/usr/bin/env bash
# Puts together the file system of the image: the program, the libraries it links to, certificates,
# zones, and nothing else; no shell, no package manager.
#   rootfs.sh PROGRAM FOLDER
# var/lib/dpkg/status names the Debian packages that the files come from, for scanners of images.
set -euo pipefail
program=$1 root=$2
packages=()

copy() { # FILE: under the name that it is looked for by, without links
  install -D "$(realpath "$1")" "$root$1"
  packages+=("$(package_of "$(realpath "$1")")")
}
# Debian 12 knows files of /usr/bin and /usr/lib by either name.
package_of() {
  { dpkg-query --search "$1" 2> /dev/null || dpkg-query --search "${1#/usr}"; } | sed -n '1s/:.*//p'
}
# In Debian /lib is a link to /usr/lib: one place for both.
install -d "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64"
ln -s usr/bin "$root/bin"; ln -s usr/lib "$root/lib"; ln -s usr/lib64 "$root/lib64"

install "$program" "$root/usr/bin/weir"
strip --strip-debug "$root/usr/bin/weir"
# What the preStop hook of the chart runs on Kubernetes before 1.30.
copy /usr/bin/sleep
for file in $(ldd "$program" /usr/bin/sleep | grep -o '/[^ :]*' | grep -F .so | sort -u); do copy "$file"; done

install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
install -d "$root/usr/share" "$root/usr/lib/ssl"
# Where OpenSSL looks unless it is told otherwise.
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
cp -a /usr/share/zoneinfo "$root/usr/share/zoneinfo"
rm -rf "$root"/usr/share/zoneinfo/{right,posix}
packages+=(ca-certificates tzdata)

install -d "$root/etc" "$root/var/lib/dpkg"
echo 'weir:x:65532:65532:weir:/var/lib/weir:/usr/sbin/nologin' > "$root/etc/passwd"
echo 'weir:x:65532:' > "$root/etc/group"
# Names of services before DNS, as everywhere else.
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
cp /etc/os-release "$root/etc/os-release"
printf '%s\n' "${packages[@]}" | sort -u | xargs dpkg-query --status > "$root/var/lib/dpkg/status"
install -d -m 0750 "$root/var/lib/weir"
