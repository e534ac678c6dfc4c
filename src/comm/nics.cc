// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/nics.h"

#include <cstdlib>
#include <string_view>

#include "base/check.h"
#include "base/log.h"
#include "path/cuda/current_gpu.h"
#include "topo/host.h"
#include "topo/net_ports.h"

namespace ulysses {
namespace {

constexpr const char* kVariable = "ULYSSES_NET_DEVICES";

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> names;
  for (size_t start = 0; start <= list.size();) {
    const size_t end = std::min(list.find(',', start), list.size());
    names.emplace_back(list.substr(start, end - start));
    start = end + 1;
  }
  return names;
}

/// PCI is walked once: devices stay where they are. Where it cannot be, nothing is chosen by place, and ranks go on.
const Machine& walkedMachine() {
  static const Machine machine = [] {
    try {
      return thisMachine();
    } catch (const Error& error) {
      log::warn(log::Subsystem::Topo, "network devices are not chosen by place: {}", error.what());
      return Machine{};
    }
  }();
  return machine;
}

Machine machineNow(NicPolicy policy) {
  std::vector<NetPort> ports = systemPorts();
  Machine machine;
  if (dependsOnPlace(ports, policy)) machine = walkedMachine();
  machine.name = thisHost().name;
  machine.ports = std::move(ports);
  return machine;
}

bool onOneMachine(const RankInfo& a, const RankInfo& b) { return a.bootId == b.bootId && a.networkId == b.networkId; }

NicPlace placeOf(const Membership& membership, int rank) {
  const RankInfo& self = membership.ranks[static_cast<size_t>(rank)];
  NicPlace place{.gpuPciId = currentGpuPciId(), .numaNodes = boundNumaNodes(), .ranks = 0};
  for (const RankInfo& info : membership.ranks) {
    if (!onOneMachine(info, self) || info.placeNode != self.placeNode) continue;
    ++place.ranks;
    if (info.rank < rank) ++place.turn;
  }
  return place;
}

NicRequest effective(const Membership& membership, const NicRequest& own) {
  if (own.policy == NicPolicy::List) return own;
  const auto first = static_cast<NicPolicy>(membership.ranks.front().nicPolicy);
  NicRequest request{.policy = first == NicPolicy::List ? NicPolicy::Auto : first};
  request.from = formatText("{}=any at rank 0", kVariable);
  return request;
}

}  // namespace

NicRequest parseNetDevices(const char* text) {
  if (!text || std::string_view(text) == "auto") return {};
  if (std::string_view(text) == "nearest") return {.policy = NicPolicy::Nearest};
  if (std::string_view(text) == "any") return {.policy = NicPolicy::Any};
  NicRequest request{.policy = NicPolicy::List, .names = split(text), .from = formatText("{}={}", kVariable, text)};
  for (const std::string& name : request.names)
    require(!name.empty(), "environment variable {}={}: a name is empty; want auto, nearest, any, or names with commas",
            kVariable, text);
  return request;
}

int32_t placeNodeFor(const NicRequest& own) {
  const bool looksAtInterfaces = own.policy == NicPolicy::Nearest;
  if (!dependsOnPlace(looksAtInterfaces ? systemPorts() : systemAdapters(), own.policy)) return -1;
  if (const std::string gpu = currentGpuPciId(); !gpu.empty()) return numaNodeOfPci(gpu);
  const std::vector<int> nodes = boundNumaNodes();
  return nodes.empty() ? -1 : nodes.front();
}

NicChoice nicsOf(const Membership& membership, int rank, const NicRequest& own) {
  const NicRequest request = effective(membership, own);
  const char* chosen = std::getenv("UCX_NET_DEVICES");
  if (chosen && *chosen && request.policy != NicPolicy::List)
    return {.nics = split(chosen), .reason = formatText("UCX_NET_DEVICES={}", chosen)};
  return chooseNics(machineNow(request.policy), placeOf(membership, rank), request);
}

}  // namespace ulysses
