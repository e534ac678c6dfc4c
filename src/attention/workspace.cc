// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/workspace.h"

#include <cstdint>
#include <span>

namespace ulysses::attention {
namespace {

constexpr size_t kAlignment = 64;

constexpr Role kForwardRoles[] = {Role::Query, Role::Key, Role::Value, Role::Output, Role::Lse};
constexpr Role kBackwardRoles[] = {Role::Query, Role::Key,           Role::Value,       Role::OutputGradient, Role::Lse,
                                   Role::Delta, Role::QueryGradient, Role::KeyGradient, Role::ValueGradient};

/// Cuts a workspace into aligned pieces, from its begin on.
class Carver {
 public:
  explicit Carver(std::byte* base) : base_(base) {}

  /// The next piece, for a product of factors in bytes.
  std::byte* take(std::initializer_list<int64_t> factors) {
    size_t bytes = 1;
    bool fits = true;
    for (const int64_t factor : factors) fits &= !__builtin_mul_overflow(bytes, static_cast<size_t>(factor), &bytes);
    const size_t begin = bytes_;
    fits &= !__builtin_add_overflow(bytes_, bytes, &bytes_) &&
            !__builtin_add_overflow(bytes_, (kAlignment - bytes_ % kAlignment) % kAlignment, &bytes_) &&
            bytes_ <= PTRDIFF_MAX;
    require(fits, "the gathered tensors do not fit 64 bits: sequence, batch, heads or headDim are too large");
    return base_ != nullptr ? base_ + begin : nullptr;
  }
  size_t bytes() const { return bytes_; }

 private:
  std::byte* base_;
  size_t bytes_ = 0;
};

/// A gathered tensor of a group as the local attention sees it: [B, heads, S, D].
ulyssesLocalTensor_t localTensor(const Request& request, const Regions& regions, int group, Role role) {
  const int64_t dim = request.dimOf(role), tokens = request.geometry.sequence;
  return {regions.of(group, role), dim, request.headsOf(role) * tokens * dim, tokens * dim};
}

void setTensors(const Request& request, const Regions& regions, int group, ulyssesLocalAttention_t& problem) {
  const auto tensor = [&](Role role) { return localTensor(request, regions, group, role); };
  problem.query = tensor(Role::Query);
  problem.key = tensor(Role::Key);
  problem.value = tensor(Role::Value);
  problem.lse = tensor(Role::Lse);
  if (request.backward) {
    problem.outputGradient = tensor(Role::OutputGradient);
    problem.delta = tensor(Role::Delta);
    problem.queryGradient = tensor(Role::QueryGradient);
    problem.keyGradient = tensor(Role::KeyGradient);
    problem.valueGradient = tensor(Role::ValueGradient);
  } else {
    problem.output = tensor(Role::Output);
  }
}

}  // namespace

Regions layOut(const Request& request, std::byte* base) {
  const ulyssesGeometry_t& geometry = request.geometry;
  Regions regions;
  Carver carver(base);
  const std::span<const Role> roles = request.backward ? std::span<const Role>(kBackwardRoles) : kForwardRoles;
  for (int slot = 0; slot < std::min(request.groups, kSlots); ++slot)
    for (const Role role : roles)
      regions.gathered[static_cast<size_t>(slot)][static_cast<size_t>(role)] =
          carver.take({geometry.batch, request.headsOf(role), geometry.sequence, request.dimOf(role),
                       bytesOf(request.typeOf(role))});
  (request.backward ? regions.delta : regions.lse) =
      carver.take({request.split.tokenCount, geometry.batch, geometry.heads, int64_t{sizeof(float)}});
  if (request.options.localWorkspace != nullptr && !request.isIdle()) {
    const ulyssesLocalAttention_t problem = localProblem(request, {}, 0);
    regions.localBytes = request.options.localWorkspace(&problem, request.options.localContext);
    require(regions.localBytes <= PTRDIFF_MAX, "options.localWorkspace returned {}: more than memory can hold",
            regions.localBytes);
    regions.local = carver.take({static_cast<int64_t>(regions.localBytes)});
  }
  regions.bytes = carver.bytes();
  return regions;
}

ulyssesLocalAttention_t localProblem(const Request& request, const Regions& regions, int group) {
  const ulyssesAttentionOptions_t& options = request.options;
  ulyssesLocalAttention_t problem{};
  problem.size = sizeof problem;
  problem.sequence = request.geometry.sequence;
  problem.batch = request.geometry.batch;
  problem.heads = request.groupHeads;
  problem.kvHeads = request.groupKvHeads;
  problem.headDim = request.tensors.headDim;
  problem.vHeadDim = request.tensors.vHeadDim;
  problem.dtype = request.tensors.dtype;
  problem.scale = options.scale;
  problem.causal = options.causal;
  problem.backward = request.backward ? 1 : 0;
  problem.windowLeft = options.windowLeft;
  problem.windowRight = options.windowRight;
  problem.cuSeqlens = request.geometry.cuSeqlens;
  problem.nSequences = request.geometry.nSequences;
  const int64_t first = request.split.queryHeadBegin + group * request.groupHeads;
  problem.sinks = options.sinks != nullptr ? options.sinks + first : nullptr;
  problem.slopes = options.slopes != nullptr ? options.slopes + first : nullptr;
  setTensors(request, regions, group, problem);
  if (request.backward && request.tensors.sinkGradients != nullptr && options.sinks != nullptr)
    problem.sinkGradients = request.tensors.sinkGradients + group * request.groupHeads;
  problem.threads = options.threads;
  problem.workspace = regions.local;
  problem.workspaceBytes = regions.localBytes;
  return problem;
}

Workspace::Workspace(const Request& request, void* given, size_t givenBytes) {
  const size_t needed = layOut(request, nullptr).bytes;
  if (given == nullptr) {
    require(givenBytes == 0, "workspace is NULL and workspaceBytes={}: pass both, or NULL and 0", givenBytes);
    if (needed > 0) requireSuccess(ulyssesMemAlloc(&own_, needed));
    given = own_;
  } else {
    require(reinterpret_cast<uintptr_t>(given) % kAlignment == 0, "workspace={}: want an address aligned to {} bytes",
            static_cast<const void*>(given), kAlignment);
    require(givenBytes >= needed, "workspaceBytes={}: want at least {} (ulyssesAttentionWorkspaceBytes)", givenBytes,
            needed);
  }
  regions_ = layOut(request, static_cast<std::byte*>(given));
}

Workspace::~Workspace() { (void)ulyssesMemFree(own_); }

}  // namespace ulysses::attention
