// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "topo/nic_choice.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "base/check.h"

namespace ulysses {
namespace {

/// UCX aborts the process for a longer list.
constexpr size_t kMostNames = 64;

using Ports = std::vector<const NetPort*>;

std::vector<std::string> namesOf(const Ports& ports) {
  std::vector<std::string> names;
  for (const NetPort* port : ports) names.push_back(port->name);
  return names;
}

Ports usablePorts(std::span<const NetPort> ports, bool rdma) {
  Ports usable;
  for (const NetPort& port : ports)
    if (port.isRdma == rdma && port.isUp && !port.isInternal) usable.push_back(&port);
  return usable;
}

/// What a rank may choose among.
Ports railsOf(std::span<const NetPort> ports, NicPolicy policy) {
  Ports rails = usablePorts(ports, true);
  if (rails.empty() && policy == NicPolicy::Nearest) rails = usablePorts(ports, false);
  return rails;
}

// ---- near and far

/// Smaller is nearer.
struct Nearness {
  Distance distance;
  std::ptrdiff_t apart;  // on one switch: the fewer bridges both are below
  auto key() const { return std::tuple(distance, apart); }
};

const Device* deviceOf(const Machine& machine, const std::string& pciId) {
  const auto at = std::ranges::find(machine.devices, pciId, &Device::pciId);
  return pciId.empty() || at == machine.devices.end() ? nullptr : &*at;
}

/// To a GPU; nothing when neither PCI nor a NUMA node says it.
std::optional<Nearness> nearnessTo(const Device& gpu, const Device& nic) {
  const std::ptrdiff_t shared = sharedBridges(gpu, nic);
  if (shared > 0) return Nearness{distanceBetween(gpu, nic), -shared};
  const bool isTold = (gpu.numaIsTold && nic.numaIsTold) || (gpu.package >= 0 && nic.package >= 0);
  if (!isTold) return std::nullopt;
  if (gpu.numaIsTold && nic.numaIsTold) return Nearness{distanceBetween(gpu, nic), 0};
  return Nearness{gpu.package == nic.package ? Distance::SameSocket : Distance::OtherNuma, 0};
}

std::optional<Nearness> nearnessTo(const Machine& machine, int numaNode, const Device& nic) {
  if (nic.numaIsTold && nic.numaNode == numaNode) return Nearness{Distance::SameNuma, 0};
  const auto node = static_cast<size_t>(numaNode);
  const int package = node < machine.packageOfNode.size() ? machine.packageOfNode[node] : -1;
  if (nic.package >= 0 && nic.package == package) return Nearness{Distance::SameSocket, 0};
  if (!nic.numaIsTold && (nic.package < 0 || package < 0)) return std::nullopt;
  return Nearness{Distance::OtherNuma, 0};
}

/// A rank's place as the machine has it: its GPU goes before its cores.
class Viewpoint {
 public:
  Viewpoint(const Machine& machine, const NicPlace& place)
      : machine_(machine), nodes_(place.numaNodes), gpu_(deviceOf(machine, place.gpuPciId)) {}

  bool isKnown() const { return gpu_ || !nodes_.empty(); }

  std::optional<Nearness> to(const NetPort& port) const {
    const Device* nic = deviceOf(machine_, port.pciId);
    if (!nic) return std::nullopt;
    if (gpu_) return nearnessTo(*gpu_, *nic);
    std::optional<Nearness> least;
    for (const int node : nodes_)
      if (const auto each = nearnessTo(machine_, node, *nic); each && (!least || each->key() < least->key()))
        least = each;
    return least;
  }

  /// "same PCIe switch as GPU 0000:01:00.0"
  std::string text(Distance distance) const {
    const std::string what = gpu_ ? "GPU " + gpu_->pciId : coresText();
    if (distance == Distance::OtherNuma) return formatText("none is nearer: on another NUMA node than {}", what);
    return formatText("{} as {}", nameOf(distance), what);
  }

 private:
  std::string coresText() const {
    std::string list;
    for (const int node : nodes_) list += formatText("{}{}", list.empty() ? "" : ", ", node);
    return formatText("its cores (NUMA node{} {})", nodes_.size() == 1 ? "" : "s", list);
  }

  const Machine& machine_;
  std::span<const int> nodes_;
  const Device* gpu_;
};

struct Found {
  Ports ports{};
  Distance distance = Distance::OtherNuma;
};

/// Of those whose nearness is known.
Found nearestOf(const Ports& rails, const Viewpoint& viewpoint) {
  Found found;
  std::optional<Nearness> least;
  for (const NetPort* rail : rails) {
    const auto each = viewpoint.to(*rail);
    if (!each || (least && least->key() < each->key())) continue;
    if (!least || each->key() < least->key()) found.ports.clear();
    least = each;
    found.distance = each->distance;
    found.ports.push_back(rail);
  }
  return found;
}

// ---- the choice

NicChoice unrestricted(const Ports& nics, std::string reason) { return {namesOf(nics), {}, std::move(reason)}; }

std::string allText(const Ports& rails, std::string_view why) {
  return formatText("{}{}: {}", rails.size() == 1 ? "" : "all ", rails.size(), why);
}

/// Adapters for management and storage are slower than those for this, and nearer ones among them no better.
Ports withoutSlowOnes(const Ports& rails) {
  int64_t fastest = 0;
  for (const NetPort* rail : rails) fastest = std::max(fastest, rail->mbitPerSecond);
  Ports fast = rails;
  std::erase_if(fast,
                [&](const NetPort* rail) { return rail->mbitPerSecond > 0 && rail->mbitPerSecond < fastest / 2; });
  return fast;
}

/// Ports of different subnets do not reach each other: then a rank may need more than the nearest.
std::optional<std::string> subnetsDiffer(const Ports& rails) {
  const NetPort* first = nullptr;
  for (const NetPort* rail : rails) {
    if (rail->subnet.empty()) continue;
    if (first && first->subnet != rail->subnet)
      return formatText("{} and {} are in different subnets", first->name, rail->name);
    if (!first) first = rail;
  }
  return std::nullopt;
}

/// This rank's of several: all of them are used, and none by more ranks than it must.
Ports dealt(const Ports& ports, int turn, int ranks) {
  const auto count = static_cast<int>(ports.size());
  if (ranks >= count) return {ports[static_cast<size_t>(turn % count)]};
  Ports own;
  for (int i = turn; i < count; i += ranks) own.push_back(ports[static_cast<size_t>(i)]);
  return own;
}

/// Those, and what the choice was not among: interfaces beside adapters.
std::vector<std::string> allowedWith(const Ports& own, std::span<const NetPort> ports) {
  std::vector<std::string> names = namesOf(own);
  if (!own.front()->isRdma) return names;
  for (const NetPort& port : ports)
    if (!port.isRdma && port.isUp) names.push_back(port.name);
  return names;
}

NicChoice restricted(const Machine& machine, const Found& found, const Ports& rails, const NicPlace& place,
                     const Viewpoint& viewpoint) {
  const Ports own = dealt(found.ports, place.turn, place.ranks);
  NicChoice choice{namesOf(own), allowedWith(own, machine.ports), viewpoint.text(found.distance)};
  if (own.size() < found.ports.size())
    choice.reason += formatText("; {} are equally near, and {} ranks share them", found.ports.size(), place.ranks);
  if (choice.allowed.size() <= kMostNames && own.size() < rails.size()) return choice;
  if (own.size() == rails.size()) return unrestricted(rails, allText(rails, choice.reason));
  return unrestricted(rails, formatText("{} devices are more than UCX takes a list of", choice.allowed.size()));
}

NicChoice byPlace(const Machine& machine, const NicPlace& place, NicPolicy policy) {
  const Ports rails = railsOf(machine.ports, policy);
  if (rails.empty())
    return unrestricted(usablePorts(machine.ports, false), "no adapter for RDMA is up: UCX chooses among interfaces");
  if (rails.size() == 1) return unrestricted(rails, "the only one");
  const Viewpoint viewpoint(machine, place);
  if (!viewpoint.isKnown()) return unrestricted(rails, allText(rails, "no binding, same distance"));
  const Ports fast = withoutSlowOnes(rails);
  if (const auto difference = subnetsDiffer(fast)) return unrestricted(rails, allText(rails, *difference));
  const Found found = nearestOf(fast, viewpoint);
  if (found.ports.empty()) return unrestricted(rails, allText(rails, "nothing tells where in the machine they are"));
  return restricted(machine, found, rails, place, viewpoint);
}

// ---- by name

/// What there is, for somebody who named something else.
std::string inventory(const Machine& machine) {
  std::string text;
  for (const NetPort& port : machine.ports)
    text += formatText("{}{}{}", text.empty() ? "" : ", ", port.name, port.isUp ? "" : " (down)");
  return text.empty() ? "none" : text;
}

/// The port of that name; of an adapter's name those that are up.
Ports portsNamed(const Machine& machine, const std::string& name, const std::string& from) {
  Ports named;
  bool isThere = false;
  for (const NetPort& port : machine.ports) {
    const bool isOne = port.name == name || (port.isRdma && port.name.substr(0, port.name.find(':')) == name);
    isThere = isThere || isOne;
    if (isOne && port.isUp) named.push_back(&port);
  }
  if (named.empty())
    raise(Result::InvalidArgument,
          "{}: network device {} of host {} {}; there are: {}. Name one of these, or auto or any", from, name,
          machine.name, isThere ? "is down or has no address" : "does not exist", inventory(machine));
  return named;
}

NicChoice byName(const Machine& machine, const NicRequest& request) {
  Ports own;
  for (const std::string& name : request.names)
    for (const NetPort* port : portsNamed(machine, name, request.from))
      if (std::ranges::find(own, port) == own.end()) own.push_back(port);
  require(!own.empty() && own.size() <= kMostNames, "{}: want 1..{} network devices", request.from, kMostNames);
  return {namesOf(own), namesOf(own), request.from};
}

}  // namespace

NicChoice chooseNics(const Machine& machine, const NicPlace& place, const NicRequest& request) {
  if (request.policy == NicPolicy::List) return byName(machine, request);
  if (request.policy != NicPolicy::Any) return byPlace(machine, place, request.policy);
  const Ports rails = railsOf(machine.ports, NicPolicy::Nearest);
  return unrestricted(rails, request.from);
}

bool dependsOnPlace(std::span<const NetPort> ports, NicPolicy policy) {
  const bool looks = policy == NicPolicy::Auto || policy == NicPolicy::Nearest;
  return looks && railsOf(ports, policy).size() > 1;
}

std::string joinedNames(std::span<const std::string> names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

}  // namespace ulysses
