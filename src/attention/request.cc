// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/request.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "attention/local.h"
#include "attention/tag.h"

namespace ulysses::attention {
namespace {

/// With more groups little more is hidden, and each costs an exchange's fixed time: so it must move enough to be worth
/// it.
constexpr int kMostGroups = 8;
constexpr int64_t kLeastGroupBytes = 256 << 10;

constexpr Role kForwardTensors[] = {Role::Query, Role::Key, Role::Value, Role::Output, Role::Lse};
constexpr Role kBackwardTensors[] = {Role::Query,         Role::Key,         Role::Value,
                                     Role::Output,        Role::Lse,         Role::OutputGradient,
                                     Role::QueryGradient, Role::KeyGradient, Role::ValueGradient};

/// An enumerator of the caller's, which may be none of its type.
template <typename Enum>
int numberOf(const Enum& value) {
  int number = 0;
  static_assert(sizeof number == sizeof value);
  std::memcpy(&number, &value, sizeof number);
  return number;
}

template <typename Struct>
void requireStruct(const Struct* given, uint32_t magic, uint32_t version, const char* name, const char* initializer) {
  require(given != nullptr, "{} is NULL", name);
  require(given->magic == magic, "{}.magic={:#x}: start from {}", name, given->magic, initializer);
  require(given->size == sizeof(Struct) && given->version == version,
          "{}.size={} version={}: this library knows size {} version {}; build against its header", name, given->size,
          given->version, sizeof(Struct), version);
  require(given->reserved0 == 0 &&
              std::all_of(std::begin(given->reserved), std::end(given->reserved), [](int64_t x) { return x == 0; }),
          "{}.reserved: not 0; start from {}", name, initializer);
}

void requireWindow(const char* name, int64_t window) {
  require(window >= ULYSSES_ATTENTION_ANY, "options.{}={}: want at least 0, or -1 (ULYSSES_ATTENTION_ANY: no bound)",
          name, window);
}

void requireFinite(const char* name, const float* values, int64_t count) {
  for (int64_t h = 0; values != nullptr && h < count; ++h)
    require(std::isfinite(values[h]), "options.{}[{}]={}: want finite numbers, one of each head", name, h, values[h]);
}

void resolveOptions(const ulyssesAttentionOptions_t* given, Request& request) {
  static const ulyssesAttentionOptions_t kDefaults = ULYSSES_ATTENTION_OPTIONS_INITIALIZER;
  ulyssesAttentionOptions_t& options = request.options;
  options = given != nullptr ? *given : kDefaults;
  requireStruct(&options, ULYSSES_ATTENTION_OPTIONS_MAGIC, ULYSSES_ATTENTION_OPTIONS_VERSION, "options",
                "ULYSSES_ATTENTION_OPTIONS_INITIALIZER");
  require(options.causal == 0 || options.causal == 1, "options.causal={}: want 0 or 1", options.causal);
  require(options.threads >= 0, "options.threads={}: want at least 1, or 0 (1)", options.threads);
  require(options.headGroups >= 0, "options.headGroups={}: want at least 1, or 0 (chosen)", options.headGroups);
  require(std::isfinite(options.scale), "options.scale={}: want a finite number, or 0 (headDim^-0.5)", options.scale);
  requireWindow("windowLeft", options.windowLeft);
  requireWindow("windowRight", options.windowRight);
  requireFinite("sinks", options.sinks, request.geometry.heads);
  requireFinite("slopes", options.slopes, request.geometry.heads);
  require(options.local != nullptr || options.localWorkspace == nullptr,
          "options.localWorkspace is given and local is NULL: pass both, or NULL twice (the built-in one)");
  if (options.threads == 0) options.threads = 1;
  if (options.scale == 0) options.scale = 1 / std::sqrt(static_cast<double>(request.tensors.headDim));
  if (options.local == nullptr) useBuiltIn(options);
}

void resolveType(Request& request) {
  const int type = numberOf(request.tensors.dtype);
  const bool isBuiltIn = request.options.local == builtInAttention;
  const bool isKnown = type == ulyssesFloat32 || type == ulyssesFloat16 || type == ulyssesBfloat16;
  require(isKnown || type == ulyssesFloat64, "tensors.dtype={}: want 1 (f32), 2 (f16), 3 (bf16) or 0 (f64)", type);
  require(isKnown || !isBuiltIn,
          "tensors.dtype=0 (f64): the built-in local attention takes f32, f16 and bf16; use one of them, or "
          "options.local = ulyssesAttentionOracle");
}

void resolveTensors(const ulyssesAttentionTensors_t* given, Request& request) {
  requireStruct(given, ULYSSES_ATTENTION_TENSORS_MAGIC, ULYSSES_ATTENTION_TENSORS_VERSION, "tensors",
                "ULYSSES_ATTENTION_TENSORS_INITIALIZER");
  ulyssesAttentionTensors_t& tensors = request.tensors;
  tensors = *given;
  constexpr int64_t kLargest = int64_t{1} << 32;
  require(tensors.headDim >= 1 && tensors.headDim <= kLargest, "tensors.headDim={}: want 1..{}", tensors.headDim,
          kLargest);
  require(tensors.vHeadDim >= 0 && tensors.vHeadDim <= kLargest, "tensors.vHeadDim={}: want 1..{}, or 0 (headDim)",
          tensors.vHeadDim, kLargest);
  if (tensors.vHeadDim == 0) tensors.vHeadDim = tensors.headDim;
}

/// Of the tensors that this kind of call looks at. `withData`: those that have elements must have memory.
void requireTensors(const Request& request, bool withData) {
  const bool hasElements = request.split.tokenCount > 0 && request.geometry.batch > 0;
  for (const Role role : request.backward ? std::span<const Role>(kBackwardTensors) : kForwardTensors) {
    const ulyssesAttentionTensor_t& tensor = *request.callersTensor(role);
    const int layout = numberOf(tensor.layout);
    require(layout >= ulyssesLayoutSBHD && layout <= ulyssesLayoutStrided,
            "tensors.{}.layout={}: want 0 (SBHD), 1 (BSHD), 2 (BHSD) or 3 (Strided)", nameOf(role), layout);
    require(tensor.reserved0 == 0, "tensors.{}.reserved0: not 0; start from ULYSSES_ATTENTION_TENSORS_INITIALIZER",
            nameOf(role));
    if (withData && hasElements)
      require(tensor.data != nullptr || (role == Role::Lse && !request.backward),
              "tensors.{}.data is NULL, but this rank has {} tokens of it", nameOf(role), request.split.tokenCount);
  }
}

/// KV heads of each rank when all have as many and share none, else 0.
int64_t evenKvHeads(const ulyssesGeometry_t& geometry, int nRanks) {
  const int64_t kvHeads = geometry.kvHeads == 0 ? geometry.heads : geometry.kvHeads;
  if (kvHeads % nRanks != 0) return 0;
  for (int rank = 0; geometry.queryHeads != nullptr && rank < nRanks; ++rank)
    if (geometry.queryHeads[rank] * nRanks != geometry.heads) return 0;
  return kvHeads / nRanks;
}

/// A group is an exchange of its own with one KV head of each rank, so ranks must have as many. Several in one exchange
/// stand in place of the batch, where there is none.
void resolveGroups(Request& request) {
  const int64_t even = evenKvHeads(request.geometry, request.nRanks);
  const int wanted = request.options.headGroups;
  if (wanted > 1) {
    require(even > 0, "options.headGroups={}: ranks have different numbers of KV heads, or share them; use 1", wanted);
    require(even % wanted == 0, "options.headGroups={}: want a divisor of the {} KV heads of a rank", wanted, even);
    require(wanted == even || request.geometry.batch <= 1,
            "options.headGroups={}: with batch {} want 1, or {} (groups of one KV head)", wanted,
            request.geometry.batch, even);
  }
  useGroups(request, wanted == 0 ? 1 : wanted);
}

/// That a rank gets in one pass, on average.
double bytesPerRank(const Request& request) {
  const ulyssesGeometry_t& geometry = request.geometry;
  const int64_t kvHeads = geometry.kvHeads == 0 ? geometry.heads : geometry.kvHeads;
  const int64_t dims = request.tensors.headDim + request.tensors.vHeadDim;
  return static_cast<double>(geometry.sequence) * static_cast<double>(geometry.batch) *
         static_cast<double>(geometry.heads + kvHeads) * static_cast<double>(dims) *
         static_cast<double>(bytesOf(request.tensors.dtype)) / request.nRanks;
}

}  // namespace

void useGroups(Request& request, int groups) {
  request.groups = groups;
  request.groupHeads = request.split.queryHeadCount / groups;
  request.groupKvHeads = request.split.kvHeadCount / groups;
}

int groupsOverNetwork(const Request& request) {
  const int64_t even = evenKvHeads(request.geometry, request.nRanks);
  if (request.options.headGroups != 0 || even < 2) return 1;
  const auto most = static_cast<int64_t>(
      std::min(double{kMostGroups}, bytesPerRank(request) / static_cast<double>(kLeastGroupBytes)));
  if (request.geometry.batch > 1) return even <= most ? static_cast<int>(even) : 1;
  int64_t groups = std::clamp<int64_t>(most, 1, even);
  while (even % groups != 0) --groups;
  return static_cast<int>(groups);
}

Request resolve(const ulyssesGeometry_t* geometry, const ulyssesAttentionTensors_t* tensors,
                const ulyssesAttentionOptions_t* options, bool backward, int nRanks, int rank, bool withData) {
  Request request;
  request.backward = backward;
  request.nRanks = nRanks;
  request.rank = rank;
  requireSuccess(ulyssesGetSplit(geometry, nRanks, rank, &request.split));
  request.geometry = *geometry;
  resolveTensors(tensors, request);
  resolveOptions(options, request);
  resolveType(request);
  requireTensors(request, withData);
  resolveGroups(request);
  request.geometry.tag = tagOf(request);
  return request;
}

int64_t Request::dimOf(Role role) const {
  switch (role) {
    case Role::Lse:
    case Role::Delta:
      return 1;
    case Role::Query:
    case Role::Key:
    case Role::QueryGradient:
    case Role::KeyGradient:
      return tensors.headDim;
    case Role::Value:
    case Role::Output:
    case Role::OutputGradient:
    case Role::ValueGradient:
      break;
  }
  return tensors.vHeadDim;
}

ulyssesDataType_t Request::typeOf(Role role) const {
  return role == Role::Lse || role == Role::Delta ? ulyssesFloat32 : tensors.dtype;
}

bool Request::isKv(Role role) const {
  return role == Role::Key || role == Role::Value || role == Role::KeyGradient || role == Role::ValueGradient;
}

const ulyssesAttentionTensor_t* Request::callersTensor(Role role) const {
  const ulyssesAttentionTensor_t* const all[kRoles] = {
      &tensors.query, &tensors.key,    &tensors.value,         &tensors.outputGradient, &tensors.lse,
      nullptr,        &tensors.output, &tensors.queryGradient, &tensors.keyGradient,    &tensors.valueGradient};
  return all[static_cast<int>(role)];
}

const char* nameOf(Role role) {
  constexpr const char* kNames[kRoles] = {"query", "key",    "value",         "outputGradient", "lse",
                                          "delta", "output", "queryGradient", "keyGradient",    "valueGradient"};
  return kNames[static_cast<int>(role)];
}

int64_t bytesOf(ulyssesDataType_t type) {
  if (type == ulyssesFloat64) return 8;
  return type == ulyssesFloat32 ? 4 : 2;
}

std::string describeOptions(const Request& request) {
  const ulyssesAttentionOptions_t& o = request.options;
  return formatText("{} causal={} scale={:.9g} windowLeft={} windowRight={} sinks={} slopes={} headGroups={}",
                    request.backward ? "backward" : "forward", o.causal, o.scale, o.windowLeft, o.windowRight,
                    textOf(o.sinks, request.geometry.heads), textOf(o.slopes, request.geometry.heads), o.headGroups);
}

}  // namespace ulysses::attention
