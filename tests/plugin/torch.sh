#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
#
# tests/plugin/torch.sh LIBRARY ATTENTION_LIBRARY [PYTEST ARGUMENTS]: the PyTorch package's tests with those
# libulysses_coll.so and libulysses_attention.so.
set -euo pipefail
library=$(realpath "$1") attention_library=$(realpath "$2")
shift 2
cd "$(dirname "$0")/../.."

if ! tests/setup/venv.sh; then
  echo "skipped: no Python with torch and DeepSpeed could be made (see above)"
  exit 77
fi
export ULYSSES_LIBRARY=$library ULYSSES_ATTENTION_LIBRARY=$attention_library
export PYTHONPATH=plugin/torch PYTHONDONTWRITEBYTECODE=1
# DeepSpeed compiles a gloo helper at its first use; with the project's own flags, if any, it would not.
unset CC CXX CFLAGS CXXFLAGS
exec build/venv/bin/python -m pytest -q -p no:cacheprovider tests/plugin "$@"
