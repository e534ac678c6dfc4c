// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace ulysses {

/// What moves bytes to peers: the multiprocessors of the sender's GPU, or its copy engines.
enum class Engine { Sm, CopyEngine };

/// Which of them a group wants. Auto: what is known to be faster, which is Sm until somebody measures on a GPU.
enum class EnginePolicy : int32_t { Auto, Sm, CopyEngine };

constexpr const char* nameOf(EnginePolicy policy) {
  constexpr const char* kNames[] = {"auto", "sm", "copy_engine"};
  return kNames[static_cast<int>(policy)];
}

}  // namespace ulysses
