# Bare Debian chroots for test scripts; to be sourced. Needs root, and debootstrap, which it installs if it is missing.
#
#   source tests/shared/chroot.sh
#   root=$(mktemp -d)
#   trap 'chroot_remove "$root"' EXIT
#   chroot_make bookworm "$root"
#   chroot_run "$root" tester bash -c 'id; pwd'
#
# A chroot holds Debian's required packages, apt, ca-certificates, and a user `tester`. The package clients inside are
# set up as on this machine (sources, proxies, certificates), so that a mirror works there too. What debootstrap made is
# kept without these settings in target/chroot/SUITE.tar; remove that file to make it anew.
#
# MIRROR: where Debian's packages come from; otherwise what this machine's apt uses; otherwise debootstrap's default.
# shellcheck shell=bash

chroot_cache=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/target/chroot

# The first Debian mirror among the apt sources of this machine; nothing on another distribution.
chroot_mirror() {
    grep -qx ID=debian /etc/os-release || return 0
    find /etc/apt -maxdepth 2 -name '*.sources' -exec awk '/^URIs:/ {print $2}' {} + |
        grep -E '/debian/?$' | head -n 1 | grep . ||
        find /etc/apt -maxdepth 2 -name '*.list' -exec \
            awk '/^deb / {for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) print $i}' {} + |
        grep -E '/debian/?$' | head -n 1 || true
}

# What the package clients of this machine have in the environment, as NAME=value.
chroot_environment() {
    local name
    while read -r name; do
        case $name in
        NODE_EXTRA_CA_CERTS | SSL_CERT_FILE | SSL_CERT_DIR | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | GIT_SSL_CAINFO | \
            PIP_* | NPM_* | npm_config_* | RUSTUP_AUTO_INSTALL | \
            CARGO_HTTP_* | CARGO_NET_* | CARGO_REGISTR* | CARGO_SOURCE_* | \
            http_proxy | https_proxy | no_proxy | HTTP_PROXY | HTTPS_PROXY | NO_PROXY)
            printf '%s=%s\n' "$name" "${!name}"
            ;;
        esac
    done < <(compgen -e)
}

# chroot_make SUITE DIR: makes the chroot in an empty folder.
chroot_make() {
    local suite=$1 dir=$2 mirror tar file variable
    tar=$chroot_cache/$suite.tar
    mirror=${MIRROR:-$(chroot_mirror)}
    if ! command -v debootstrap >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap
    fi
    if [[ -f $tar ]]; then
        tar -xpf "$tar" --numeric-owner -C "$dir"
    else
        mkdir -p "$chroot_cache"
        debootstrap --variant=minbase --include=ca-certificates "$suite" "$dir" ${mirror:+"$mirror"} \
            >"$chroot_cache/$suite.log" 2>&1 || { tail -n 5 "$chroot_cache/$suite.log" >&2; return 1; }
        rm -f "$dir"/var/cache/apt/archives/*.deb
        tar -cf "$tar.$$" --one-file-system --numeric-owner -C "$dir" . && mv "$tar.$$" "$tar"
    fi
    chmod 755 "$dir"

    # What is removed at the end need not be on the disk: dpkg would wait for each of its files.
    echo force-unsafe-io >"$dir/etc/dpkg/dpkg.cfg.d/unsafe-io"
    # A cached chroot may be of another mirror.
    echo "deb ${mirror:-http://deb.debian.org/debian} $suite main" >"$dir/etc/apt/sources.list"
    for file in /etc/apt/apt.conf.d/99* /etc/apt/auth.conf.d/* /etc/pip.conf /etc/resolv.conf /etc/hosts \
        /usr/local/share/ca-certificates/*; do
        if [[ -f $file ]]; then install -D -m "$(stat -Lc %a "$file")" "$file" "$dir$file"; fi
    done
    for variable in NODE_EXTRA_CA_CERTS SSL_CERT_FILE PIP_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO \
        CARGO_HTTP_CAINFO; do
        file=${!variable:-}
        if [[ -f $file ]]; then install -D -m 644 "$file" "$dir$file"; fi
    done

    # Devices of its own: what goes wrong inside, and a removal that was not careful, does not reach this machine's.
    mount -t proc proc "$dir/proc"
    mount -t sysfs -o ro sysfs "$dir/sys"
    mount -t tmpfs -o mode=755,size=1m dev "$dir/dev"
    mkdir "$dir/dev/pts" "$dir/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$dir/dev/pts"
    mount -t tmpfs -o mode=1777 shm "$dir/dev/shm"
    mknod -m 666 "$dir/dev/null" c 1 3
    mknod -m 666 "$dir/dev/zero" c 1 5
    mknod -m 666 "$dir/dev/full" c 1 7
    mknod -m 666 "$dir/dev/random" c 1 8
    mknod -m 666 "$dir/dev/urandom" c 1 9
    mknod -m 666 "$dir/dev/tty" c 5 0
    ln -s pts/ptmx "$dir/dev/ptmx"
    ln -s /proc/self/fd "$dir/dev/fd"
    ln -s /proc/self/fd/0 "$dir/dev/stdin"
    ln -s /proc/self/fd/1 "$dir/dev/stdout"
    ln -s /proc/self/fd/2 "$dir/dev/stderr"

    chroot "$dir" useradd -m -s /bin/bash tester
    chroot_settings "$dir" root
    chroot_settings "$dir" tester
}

# chroot_account DIR USER FIELD: a field of the user's line in /etc/passwd inside: 3 is the id, 4 the group's, 6 the home.
chroot_account() {
    awk -F: -v user="$2" -v field="$3" '$1 == user {print $field; found = 1} END {exit !found}' "$1/etc/passwd"
}

# chroot_settings DIR USER: gives a user inside what the package clients of this one keep in the home folder.
chroot_settings() {
    local dir=$1 user=$2 id group home
    id=$(chroot_account "$dir" "$user" 3) group=$(chroot_account "$dir" "$user" 4)
    home=$dir$(chroot_account "$dir" "$user" 6)
    if [[ -f ~/.npmrc ]]; then
        install -o "$id" -g "$group" -m 600 ~/.npmrc "$home/.npmrc"
    fi
    if [[ -f ${CARGO_HOME:-$HOME/.cargo}/config.toml ]]; then
        install -d -o "$id" -g "$group" "$home/.cargo"
        install -o "$id" -g "$group" -m 600 "${CARGO_HOME:-$HOME/.cargo}/config.toml" "$home/.cargo/config.toml"
    fi
}

# chroot_run DIR USER COMMAND…: runs a command inside, in the user's home folder, with nothing of this environment but
# what package clients need. `env NAME=value COMMAND…` gives it more.
chroot_run() {
    local dir=$1 user=$2 id group home
    id=$(chroot_account "$dir" "$user" 3) group=$(chroot_account "$dir" "$user" 4)
    home=$(chroot_account "$dir" "$user" 6)
    shift 2
    local environment
    mapfile -t environment < <(chroot_environment)
    env -i "${environment[@]}" HOME="$home" USER="$user" LOGNAME="$user" LANG=C.UTF-8 TERM=dumb \
        DEBIAN_FRONTEND=noninteractive \
        PATH="$home/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
        chroot "$dir" setpriv --reuid "$id" --regid "$group" --init-groups env -C "$home" "$@"
}

# chroot_rust DIR USER: gives a user inside rustup and this machine's stable toolchain, without anything downloaded.
chroot_rust() {
    local dir=$1 user=$2 id group home toolchain
    local cargo=${CARGO_HOME:-$HOME/.cargo} rustup=${RUSTUP_HOME:-$HOME/.rustup}
    id=$(chroot_account "$dir" "$user" 3) group=$(chroot_account "$dir" "$user" 4)
    home=$dir$(chroot_account "$dir" "$user" 6)
    toolchain=$(find "$rustup/toolchains" -mindepth 1 -maxdepth 1 -name 'stable-*' -printf '%f\n' -quit)
    [[ -n $toolchain ]] || { echo "no stable toolchain in $rustup" >&2; return 1; }
    mkdir -p "$home/.cargo" "$home/.rustup/toolchains"
    # rustup and its other names alone: no tool that was installed beside it.
    (cd "$cargo" && find bin -samefile bin/rustup -o -lname '*rustup') |
        tar -c -C "$cargo" -T - | tar -xp -C "$home/.cargo"
    tar -c -C "$rustup/toolchains" --exclude='*/share/doc' "$toolchain" | tar -xp -C "$home/.rustup/toolchains"
    chown -R "$id:$group" "$home/.cargo" "$home/.rustup"
    chroot_run "$dir" "$user" rustup --quiet default "$toolchain" >/dev/null 2>&1
}

# chroot_remove DIR: ends what still runs inside, takes the mounts off, removes the folder. Safe to call at any time.
chroot_remove() {
    local dir process mount
    dir=$(realpath -e "$1" 2>/dev/null) || return 0
    [[ $dir != / ]] || return 1
    for process in /proc/[0-9]*; do
        if [[ $(readlink "$process/root") == "$dir" ]]; then kill -KILL "${process#/proc/}"; fi
    done 2>/dev/null
    # The last mounted first; never recursively into something that is still mounted.
    awk -v dir="$dir/" 'index($5, dir) == 1 {print $5}' /proc/self/mountinfo | tac | while read -r mount; do
        umount -l "$mount"
    done
    rm -rf --one-file-system "$dir"
}
