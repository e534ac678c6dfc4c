# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by perf/run and tests/run: Debian packages and build directories.
# shellcheck shell=bash disable=SC2034  # the package lists are for those who source this

# What each part needs, as Debian 12 names it.
build_packages=(g++ meson ninja-build pkg-config libfmt-dev libhwy-dev libhwloc-dev libxxhash-dev libssl-dev nlohmann-json3-dev
  libpmix-dev libucx-dev)
perf_packages=(libcli11-dev openmpi-bin libopenmpi-dev ucx-utils)
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev python3 python3-venv python3-dev mpich libmpich-dev iproute2)
hosts_packages=(python3 iproute2 iperf3) # of perf/between_hosts.sh
lint_packages=(git clang-format clang-tidy shellcheck codespell universal-ctags)

say() { printf '== %s\n' "$*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Those of the given packages that are not installed.
missing_packages() {
  local installed package
  installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    grep -qxF "installed $package" <<<"$installed" || printf '%s\n' "$package"
  done
}

# Install what is missing of the given packages; without root, say how.
need_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: going on in the hope that these are there, by other names: $*"
    return
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  local install=(apt-get install --yes --no-install-recommends "${missing[@]}")
  if [ "$(id -u)" -ne 0 ]; then
    die "packages are missing and only root can install them: ${missing[*]}
  as root: apt-get update && ${install[*]}"
  fi
  say "installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { apt_get update && apt_get "${install[@]:1}"; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    die "apt-get could not install them; the whole log is $log"
  fi
  rm -f "$log"
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --option DPkg::Lock::Timeout=300 --option Dpkg::Use-Pty=0 "$@" </dev/null
}

# Configure build directory $1 with the options that follow; again only when the options differ from last time's.
# Meson itself sees changed build files.
configure() {
  local dir=$1 options
  shift
  options=$(printf '%s\n' "$@")
  if [ -f "$dir/build.ninja" ] && [ "$(cat "$dir/options.txt" 2>/dev/null)" = "$options" ]; then
    return
  fi
  say "configuring $dir ($*)"
  rm -rf "$dir"
  mkdir -p "$dir"
  if ! meson setup "$dir" "$@" >"$dir/configure.txt" 2>&1; then
    cat "$dir/configure.txt" >&2
    die "meson could not configure $dir"
  fi
  printf '%s\n' "$options" >"$dir/options.txt"
}

# Build the given targets (none: all) of build directory $1. Nothing is printed when nothing is to be done.
build() {
  local dir=$1
  shift
  if ninja -C "$dir" -n "$@" 2>/dev/null | grep -q '^ninja: no work to do'; then
    return
  fi
  say "building $dir"
  NINJA_STATUS='[%f/%t] ' ninja -C "$dir" "$@"
}
