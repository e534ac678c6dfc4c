// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "info_text.h"

#include <fmt/format.h>

#include "system_info.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

std::string line(std::string_view key, const std::string& value) { return fmt::format("  {:<22} {}\n", key, value); }

std::string textOr(const ordered_json& json, const char* otherwise) {
  if (json.is_null()) return otherwise;
  return json.is_string() ? json.get<std::string>() : json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string bytesOr(const ordered_json& json, const char* otherwise) {
  return json.is_null() ? otherwise : formatBytes(json.get<int64_t>());
}

std::string libraryText(const ordered_json& library) {
  std::string built;
  for (const auto& [name, value] : library.items())
    if (value.is_boolean())
      built += fmt::format("{}{} {}", built.empty() ? "" : ", ", name, value.get<bool>() ? "yes" : "no");
  return fmt::format("libulysses_coll {} ({})\n", library["version"].get<std::string>(), built);
}

std::string nameText(const ordered_json& device) {
  return device["name"].is_null() ? "" : " " + device["name"].get<std::string>();
}

// Of a rank at a GPU or a NUMA node; empty where nothing is restricted.
std::string choiceText(const ordered_json& place) {
  const ordered_json network = place.value("network", ordered_json(nullptr));
  if (network.is_null() || network["allowed"].is_null()) return "";
  std::string names;
  for (const ordered_json& name : network["devices"]) names += (names.empty() ? "" : ", ") + name.get<std::string>();
  return fmt::format("; a rank here uses {} ({})", names, network["reason"].get<std::string>());
}

// Adapters' alone: interfaces have lines of their own.
std::string portsText(const ordered_json& ports) {
  std::string text;
  for (const ordered_json& port : ports) {
    if (!port["rdma"].get<bool>()) continue;
    const ordered_json& mbit = port["mbit_per_s"];
    text += line(fmt::format("port {}", port["name"].get<std::string>()),
                 fmt::format("{}, NUMA node {}, {}, {}", textOr(port["pci"], "not on PCI"),
                             textOr(port["numa_node"], "unknown"), port["up"].get<bool>() ? "up" : "down",
                             mbit.is_null() ? "speed unknown" : mbit.dump() + " Mbit/s"));
  }
  return text;
}

std::string deviceText(const ordered_json& device) {
  const ordered_json& rate = device["pci_gbyte_per_s"];
  std::string text = fmt::format("{}{}, NUMA node {}, PCIe {}", textOr(device["pci"], "-"), nameText(device),
                                 textOr(device["numa_node"], "unknown"),
                                 rate.is_null() ? "rate unknown" : fmt::format("{:.1f} GB/s", rate.get<double>()));
  if (device.contains("mbit_per_s"))
    text +=
        device["mbit_per_s"].is_null() ? ", link speed unknown" : ", link " + device["mbit_per_s"].dump() + " Mbit/s";
  if (!device["model"].is_null()) text += fmt::format(" ({})", device["model"].get<std::string>());
  for (const ordered_json& nic : device.value("nearest_nics", ordered_json::array()))
    text += fmt::format("; nearest NIC {} ({})", textOr(nic["name"], "-"), nic["distance"].get<std::string>());
  return text + choiceText(device);
}

std::string sharedText(const ordered_json& cache) {
  const ordered_json& cores = cache["cores_sharing_one"];
  return cores > 1 ? fmt::format(", each shared by {} cores", cores.dump()) : "";
}

std::string machineText(const ordered_json& host) {
  std::string text =
      line("system", textOr(host["system"], "unknown")) +
      line("boot id hash", textOr(host["boot_id_hash"], "unknown")) + line("cpu", textOr(host["cpu"], "unknown")) +
      line("cores", fmt::format("{}, {} hardware threads", host["cores"].dump(), host["hardware_threads"].dump())) +
      line("memory", bytesOr(host["memory_bytes"], "unknown"));
  for (const ordered_json& cache : host["caches"])
    text += line(fmt::format("L{} cache", cache["level"].dump()),
                 fmt::format("{} x {}{}", cache["count"].dump(), bytesOr(cache["bytes"], "?"), sharedText(cache)));
  for (const ordered_json& node : host["numa_nodes"])
    text += line(fmt::format("NUMA node {}", node["node"].dump()),
                 fmt::format("{}, {} cores, hardware threads {}", bytesOr(node["memory_bytes"], "memory unknown"),
                             node["cores"].dump(), textOr(node["hardware_threads"], "-")) +
                     choiceText(node));
  for (const ordered_json& gpu : host["gpus"]) text += line("GPU", deviceText(gpu));
  for (const ordered_json& nic : host["nics"]) text += line("NIC", deviceText(nic));
  if (host["gpus"].empty()) text += line("GPU", "none");
  if (host["nics"].empty()) text += line("NIC", "none on PCI");
  return text + portsText(host["network_ports"]);
}

std::string resourceText(const ordered_json& resource, bool isBytes) {
  const auto value = [&](const ordered_json& bound) {
    return isBytes ? bytesOr(bound, "unlimited") : textOr(bound, "unlimited");
  };
  return fmt::format("{} (may be raised to {})", value(resource["soft"]), value(resource["hard"]));
}

std::string limitsText(const ordered_json& limits) {
  const ordered_json& ports = limits["local_ports"];
  return line("memory available", bytesOr(limits["memory_available_bytes"], "unknown")) +
         line("memory cgroup", limits["memory_cgroup_limit_bytes"].is_null()
                                   ? "no limit"
                                   : fmt::format("{}, {} left", bytesOr(limits["memory_cgroup_limit_bytes"], ""),
                                                 bytesOr(limits["memory_cgroup_left_bytes"], ""))) +
         line("RLIMIT_NOFILE", resourceText(limits["open_files"], false)) +
         line("RLIMIT_MEMLOCK", resourceText(limits["locked_bytes"], true)) +
         line("RLIMIT_NPROC", resourceText(limits["processes"], false)) +
         line("local ports", ports.is_null() ? "unknown" : fmt::format("{} to {}", ports[0].dump(), ports[1].dump()));
}

std::string interfacesText(const ordered_json& interfaces) {
  std::string text;
  for (const ordered_json& interface : interfaces) {
    std::string addresses;
    for (const ordered_json& address : interface["addresses"])
      addresses += (addresses.empty() ? "" : ", ") + address.get<std::string>();
    const ordered_json& mbit = interface["mbit_per_s"];
    text +=
        line(fmt::format("interface {}", interface["name"].get<std::string>()),
             fmt::format("{}, {}", addresses.empty() ? "not for ULYSSES_INTERFACE (down, or no address)" : addresses,
                         mbit.is_null() ? "speed unknown" : mbit.dump() + " Mbit/s"));
  }
  return text;
}

std::string ucxText(const ordered_json& ucx) {
  const ordered_json& library = ucx["library"];
  const std::string name = library["name"].get<std::string>();
  std::string text = line("UCX", library["loads"].get<bool>()
                                     ? fmt::format("{} {}", name, textOr(library["version"], "of unknown version"))
                                     : fmt::format("{} does not load: {}", name, textOr(library["problem"], "?")));
  const ordered_json& devices = ucx["devices"];
  if (devices["transports"].is_null())
    return text + line("UCX transports", fmt::format("unknown: {}", textOr(devices["problem"], "?")));
  for (const ordered_json& transport : devices["transports"]) {
    std::string names;
    for (const ordered_json& device : transport["devices"]) names += " " + device.get<std::string>();
    text += line(fmt::format("UCX {}", transport["transport"].get<std::string>()), names.substr(names.empty() ? 0 : 1));
  }
  return text + line("UCX transports by", textOr(devices["from"], "?"));
}

std::string peersText(const ordered_json& gpu) {
  std::string peers;
  for (size_t peer = 0; peer < gpu["peer_access"].size(); ++peer)
    if (gpu["ordinal"] != peer && gpu["peer_access"][peer].get<bool>()) peers += fmt::format(" {}", peer);
  if (gpu["peer_access"].size() == 1) return "";
  return peers.empty() ? "; access to no other" : "; access to" + peers;
}

std::string cudaText(const ordered_json& cuda) {
  std::string text =
      line("CUDA", !cuda["problem"].is_null() ? textOr(cuda["problem"], "?")
                                              : fmt::format("driver {}, runtime {}", textOr(cuda["driver"], "unknown"),
                                                            textOr(cuda["runtime"], "unknown")));
  for (const ordered_json& gpu : cuda["gpus"])
    text += line(fmt::format("CUDA GPU {}", gpu["ordinal"].dump()),
                 fmt::format("{}, {}, {}, compute capability {}, {} multiprocessors, {}{}", textOr(gpu["pci"], "-"),
                             textOr(gpu["name"], "without a name"), bytesOr(gpu["memory_bytes"], "memory unknown"),
                             textOr(gpu["compute_capability"], "unknown"), gpu["multiprocessors"].dump(),
                             textOr(gpu["uuid"], "-"), peersText(gpu)));
  return text;
}

std::string hostText(const ordered_json& host) {
  std::string text = fmt::format("\nhost {}\n", textOr(host["name"], "without a name")) + machineText(host);
  if (!host.contains("limits")) return text;  // of an XML file
  text += line("this process may use", fmt::format("cores {}", host["cores_of_this_process"].dump()));
  text +=
      limitsText(host["limits"]) + interfacesText(host["interfaces"]) + ucxText(host["ucx"]) + cudaText(host["cuda"]);
  return host.contains("ranks") ? text + line("ranks", host["ranks"].dump()) : text;
}

std::string environmentText(const ordered_json& environment) {
  std::string text = "\nenvironment\n";
  for (const ordered_json& variable : environment)
    text += fmt::format("  {:<24} {} ({}{})\n", variable["name"].get<std::string>(), textOr(variable["value"], ""),
                        variable["from"].get<std::string>(),
                        variable["from"] == "default" ? "" : ", default " + variable["default"].get<std::string>());
  return text;
}

}  // namespace

std::string reportText(const ordered_json& report) {
  std::string text = libraryText(report["library"]);
  for (const ordered_json& host : report["hosts"]) text += hostText(host);
  if (report.contains("ranks")) text += ranksText(report["ranks"]);
  if (report.contains("environment")) text += environmentText(report["environment"]);
  return text;
}

}  // namespace ulysses::perf
