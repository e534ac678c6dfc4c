#!/bin/sh
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
#
# Print the library's version; the public header is its only home.
cd "$(dirname "$0")/../.." || exit 1
sed -n 's/^#define ULYSSES_VERSION_\(MAJOR\|MINOR\|PATCH\) \([0-9]*\)$/\2/p' include/ulysses_coll.h | paste -sd. -
