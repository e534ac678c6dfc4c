// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <new>
#include <string_view>

#include "attention/clock.h"
#include "attention/operator.h"

using namespace ulysses::attention;

namespace {

/// Runs `fn`; when it fails, peers are told why this rank cannot make its first exchange.
template <typename Fn>
auto orRefuse(ulyssesComm_t comm, Fn&& fn) {
  try {
    return fn();
  } catch (const Failure& failure) {
    (void)ulyssesRefuse(ulyssesOpScatterHeads, failure.result(), failure.what(), comm);
    throw;
  } catch (const std::bad_alloc&) {
    (void)ulyssesRefuse(ulyssesOpScatterHeads, ulyssesOutOfMemory, "out of memory in attention", comm);
    throw;
  }
}

/// The same at every rank: with ranks on several hosts each has a peer on another one.
bool reachesOverNetwork(ulyssesComm_t comm, int rank, int nRanks) {
  for (int peer = 0; peer < nRanks; ++peer) {
    ulyssesPathInfo_t info{};
    if (peer == rank) continue;
    requireSuccess(ulyssesCommGetPath(comm, peer, &info));
    if (std::string_view(info.path) == "ucx") return true;
  }
  return false;
}

struct Arguments {
  const ulyssesGeometry_t* geometry;
  const ulyssesAttentionTensors_t* tensors;
  const ulyssesAttentionOptions_t* options;
  void* workspace;
  size_t workspaceBytes;
  ulyssesComm_t comm;
  void* stream;
  ulyssesAttentionStats_t* stats;
};

void attend(const Arguments& call, bool backward) {
  double totalUs = 0;
  int rank = 0, nRanks = 0;
  requireSuccess(ulyssesCommUserRank(call.comm, &rank));
  requireSuccess(ulyssesCommCount(call.comm, &nRanks));
  {
    const Spent spent(totalUs);
    const Request request = orRefuse(call.comm, [&] {
      Request made = resolve(call.geometry, call.tensors, call.options, backward, nRanks, rank, true);
      const int groups = groupsOverNetwork(made);
      if (groups > 1 && reachesOverNetwork(call.comm, rank, nRanks)) useGroups(made, groups);
      return made;
    });
    const std::unique_ptr<Workspace> workspace =
        orRefuse(call.comm, [&] { return std::make_unique<Workspace>(request, call.workspace, call.workspaceBytes); });
    const Regions& regions = workspace->regions();
    Operator op(request, regions, call.comm, call.stream);
    op.run();
    if (call.stats != nullptr)
      *call.stats = {0, op.localUs(), op.exposedUs(), static_cast<int64_t>(regions.bytes), request.groups, 0, {}};
  }
  if (call.stats != nullptr) call.stats->totalUs = totalUs;
}

}  // namespace

extern "C" {

ulyssesResult_t ulyssesAttentionWorkspaceBytes(const ulyssesGeometry_t* geometry,
                                               const ulyssesAttentionTensors_t* tensors,
                                               const ulyssesAttentionOptions_t* options, int backward, int nRanks,
                                               int rank, size_t* bytes) {
  return guard([&] {
    require(bytes != nullptr, "bytes is NULL");
    Request request = resolve(geometry, tensors, options, backward != 0, nRanks, rank, false);
    *bytes = layOut(request, nullptr).bytes;
    const int groups = groupsOverNetwork(request);
    if (groups == 1) return;
    useGroups(request, groups);  // no communicator says yet which it will be
    *bytes = std::max(*bytes, layOut(request, nullptr).bytes);
  });
}

ulyssesResult_t ulyssesAttentionForward(const ulyssesGeometry_t* geometry, const ulyssesAttentionTensors_t* tensors,
                                        const ulyssesAttentionOptions_t* options, void* workspace,
                                        size_t workspaceBytes, ulyssesComm_t comm, void* stream,
                                        ulyssesAttentionStats_t* stats) {
  return guard([&] { attend({geometry, tensors, options, workspace, workspaceBytes, comm, stream, stats}, false); });
}

ulyssesResult_t ulyssesAttentionBackward(const ulyssesGeometry_t* geometry, const ulyssesAttentionTensors_t* tensors,
                                         const ulyssesAttentionOptions_t* options, void* workspace,
                                         size_t workspaceBytes, ulyssesComm_t comm, void* stream,
                                         ulyssesAttentionStats_t* stats) {
  return guard([&] { attend({geometry, tensors, options, workspace, workspaceBytes, comm, stream, stats}, true); });
}

const char* ulyssesAttentionGetLastError(void) { return threadError().c_str(); }

}  // extern "C"
