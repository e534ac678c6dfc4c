// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "host_report.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <optional>

#include "cuda_probe.h"
#include "error.h"
#include "system_info.h"
#include "ucx_probe.h"
#include "ulysses_coll.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

ordered_json orNull(int64_t value) { return value < 0 ? ordered_json(nullptr) : ordered_json(value); }

// What now holds, and what the process may raise it to; null: unlimited.
ordered_json resourceJson(__rlimit_resource resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) throwErrno("getrlimit");
  const auto value = [](rlim_t bound) { return bound == RLIM_INFINITY ? ordered_json(nullptr) : ordered_json(bound); };
  return {{"soft", value(limit.rlim_cur)}, {"hard", value(limit.rlim_max)}};
}

ordered_json portRangeJson() {
  const std::string line = firstLine("/proc/sys/net/ipv4/ip_local_port_range");
  const auto first = leadingNumber(line);
  const size_t gap = line.find_first_of(" \t");
  if (!first || gap == std::string::npos) return nullptr;
  const auto last = leadingNumber(line.substr(line.find_first_not_of(" \t", gap)));
  return last ? ordered_json{*first, *last} : ordered_json(nullptr);
}

ordered_json limitsJson() {
  const CgroupMemory cgroup = cgroupMemory();
  return {{"memory_available_bytes", availableMemoryBytes()},
          {"memory_cgroup_limit_bytes", orNull(cgroup.limitBytes)},
          {"memory_cgroup_left_bytes", orNull(cgroup.leftBytes)},
          {"open_files", resourceJson(RLIMIT_NOFILE)},
          {"locked_bytes", resourceJson(RLIMIT_MEMLOCK)},
          {"processes", resourceJson(RLIMIT_NPROC)},
          {"local_ports", portRangeJson()}};
}

// hwloc knows the PCIe link of a NIC, the kernel that of its port.
void addLinkSpeeds(ordered_json& machine) {
  for (ordered_json& nic : machine["nics"]) {
    const auto mbit = nic["name"].is_string() ? linkMbit(nic["name"].get<std::string>()) : std::nullopt;
    nic["mbit_per_s"] = mbit ? ordered_json(*mbit) : ordered_json(nullptr);
  }
}

}  // namespace

ordered_json topology(const std::string& xmlFile) {
  const char* const file = xmlFile.empty() ? nullptr : xmlFile.c_str();
  // A device may come between two calls.
  constexpr size_t kSlackBytes = 4096;
  size_t needed = 0;
  ulyssesResult_t result = ulyssesGetTopology(file, nullptr, 0, &needed);
  std::string text(needed + kSlackBytes, '\0');
  if (result == ulyssesSuccess) result = ulyssesGetTopology(file, text.data(), text.size(), nullptr);
  if (result == ulyssesInvalidArgument) throw InputError(fmt::format("--topology {}", ulyssesGetLastError(nullptr)));
  if (result != ulyssesSuccess) throw RunError(fmt::format("ulyssesGetTopology: {}", ulyssesGetLastError(nullptr)));
  return ordered_json::parse(text.c_str());
}

ordered_json hostReport(const ordered_json& machine) {
  ordered_json report = machine;
  addLinkSpeeds(report);
  report["cores_of_this_process"] = allowedCores();
  report["limits"] = limitsJson();
  report["interfaces"] = interfacesJson();
  report["ucx"] = probeUcx();
  report["cuda"] = probeCuda();
  return report;
}

}  // namespace ulysses::perf
