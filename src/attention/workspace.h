// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>

#include "attention/request.h"

namespace ulysses::attention {

/// While one group of heads is computed the next one arrives and the one before leaves.
inline constexpr int kSlots = 2;

/// Where everything lies in a workspace. Gathered tensors are [B, heads of the group, S, D], contiguous.
struct Regions {
  std::array<std::array<std::byte*, kRoles>, kSlots> gathered{};  // by slot and role; null: not used in this call
  std::byte* delta = nullptr;                                     // backward: float32 [S_r, B, H], input of an exchange
  std::byte* lse = nullptr;                                       // forward: as delta, where the caller keeps none
  std::byte* local = nullptr;                                     // of the local attention
  size_t localBytes = 0;
  size_t bytes = 0;  // of all of it

  std::byte* of(int group, Role role) const {
    return gathered[static_cast<size_t>(group % kSlots)][static_cast<size_t>(role)];
  }
};

/// The regions in a workspace that begins at `base`; with null only `bytes` and `localBytes` mean something. Throws
/// InvalidArgument when the sizes do not fit 64 bits.
Regions layOut(const Request& request, std::byte* base);

/// The problem of one group for the local attention. Its workspace is not set when the regions have none.
ulyssesLocalAttention_t localProblem(const Request& request, const Regions& regions, int group);

/// The caller's workspace, or the library's own for one call.
class Workspace {
 public:
  Workspace(const Request& request, void* given, size_t givenBytes);
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace();

  const Regions& regions() const { return regions_; }

 private:
  void* own_ = nullptr;
  Regions regions_;
};

}  // namespace ulysses::attention
