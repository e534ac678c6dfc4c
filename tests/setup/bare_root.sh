#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
#
# Prove the two commands on a bare Debian 12: a fresh debootstrap root that holds git and nothing else of ours.
#
#   tests/setup/bare_root.sh [--worktree] [--root DIR] [-- COMMAND...]
#
#   --worktree   take the files as they lie here; otherwise a clone of HEAD
#   --root DIR   use the root in DIR, make it when there is none, and keep it; otherwise a temporary one
#   COMMAND...   each is run by bash in the tree; default: ./perf/run ./tests/run and ./perf/run again, in under 20 s
#
# Needs root and debootstrap. Mirror, trust and proxy are those of this machine's apt. Everything is mounted in a mount
# namespace of its own, so that no mount outlives the script, however it ends; processes end with it too.
# The exit status is 1 when a command failed, or left something in /dev/shm.
set -euo pipefail

script=$(realpath "$0")
tree=$(realpath "$(dirname "$script")/../..")
suite=bookworm
second_call_limit=20 # seconds

usage() { sed -n '5,16s/^# \{0,1\}//p' "$script"; }

say() { printf '== bare root: %s\n' "$*"; }

die() {
  printf 'bare_root.sh: %s\n' "$*" >&2
  exit 1
}

# The mirror from which this machine's apt gets the suite.
mirror() {
  # shellcheck disable=SC2016  # apt-get's own variables
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    awk -v suite="$suite" '$2 == suite { print $1; exit }'
}

make_root() {
  local uri
  uri=$(mirror)
  [ -n "$uri" ] || die "apt's sources on this machine do not have $suite"
  say "debootstrap $suite"
  debootstrap --variant=minbase --include=git "$suite" "$1" "$uri" >"$1.log" 2>&1 ||
    { tail -n 20 "$1.log" >&2 && die "debootstrap failed"; }
  rm -f "$1.log"
}

# Let apt inside reach what apt outside reaches.
copy_apt_settings() {
  local root=$1 name
  for name in sources.list sources.list.d auth.conf.d keyrings trusted.gpg trusted.gpg.d; do
    if [ -e "/etc/apt/$name" ]; then
      rm -rf "$root/etc/apt/$name"
      cp -a "/etc/apt/$name" "$root/etc/apt/"
    fi
  done
  grep -lE '^[[:space:]]*Acquire::' /etc/apt/apt.conf.d/* 2>/dev/null | xargs -r cp -t "$root/etc/apt/apt.conf.d/"
  mkdir -p "$root/etc/ssl/certs"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" 2>/dev/null || true
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
}

copy_tree() {
  local target=$1
  rm -rf "$target"
  if [ "$worktree" = yes ]; then
    mkdir -p "$target"
    git -C "$tree" ls-files -z --cached --others --exclude-standard |
      tar -C "$tree" --null --ignore-failed-read --files-from=- -cf - 2>/dev/null | tar -C "$target" --no-same-owner -xf -
    git -C "$target" init --quiet
  else
    git clone --quiet --no-hardlinks "$tree" "$target"
  fi
}

mount_kernel_folders() {
  mount -t proc proc "$1/proc"
  mount --rbind /sys "$1/sys"
  mount --rbind /dev "$1/dev"
  mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
}

# Run one command in the tree in the root; sets `took`.
run_inside() {
  local root=$1 command=$2 start=$SECONDS status=0
  say "$command"
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    chroot "$root" bash -c "cd /tree && $command" </dev/null || status=$?
  took=$((SECONDS - start))
  say "$command: exit $status after $took s"
  return "$status"
}

# The part that runs in its own mount and process namespaces.
inside() {
  local root=$1 failed=0 command left
  shift
  mount -t proc proc /proc
  [ -e "$root/etc/debian_version" ] || make_root "$root"
  copy_apt_settings "$root"
  copy_tree "$root/tree"
  mount_kernel_folders "$root"
  if [ $# -gt 0 ]; then
    for command in "$@"; do run_inside "$root" "$command" || failed=1; done
  else
    run_inside "$root" ./perf/run || failed=1
    run_inside "$root" ./tests/run || failed=1
    run_inside "$root" ./perf/run || failed=1
    if [ "$took" -ge "$second_call_limit" ]; then
      say "the second call of ./perf/run took $took s, not less than $second_call_limit s"
      failed=1
    fi
  fi
  left=$(ls -A "$root/dev/shm")
  if [ -n "$left" ]; then
    say "left in /dev/shm: $left"
    failed=1
  fi
  return "$failed"
}

clean_up() { # PROCESS KEEP ROOT
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
  [ "$2" = yes ] || rm -rf --one-file-system "$3" "$3.log"
}

main() {
  worktree=no
  local root='' keep=no status=0
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --worktree) worktree=yes ;;
      --root) root=$(realpath -m "${2:?--root needs a directory}") keep=yes && shift ;;
      --) shift && break ;;
      *) usage >&2 && exit 2 ;;
    esac
    shift
  done
  [ "$(id -u)" -eq 0 ] || die "only root can do this"
  command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
  [ "$keep" = yes ] || root=$(mktemp -d /var/tmp/bare-root.XXXXXX)
  mkdir -p "$root"
  export worktree
  trap 'exit 130' INT TERM HUP
  # In the background, so that a signal is handled at once. unshare dies with this script, and all that it started with it.
  setpriv --pdeathsig KILL -- \
    unshare --mount --propagation private --pid --fork --kill-child -- "$script" --inside "$root" "$@" &
  # shellcheck disable=SC2064  # the values of now
  trap "clean_up $! $keep '$root'" EXIT
  wait $! || status=$?
  exit "$status"
}

if [ "${1-}" = --inside ]; then
  shift
  inside "$@"
else
  main "$@"
fi
