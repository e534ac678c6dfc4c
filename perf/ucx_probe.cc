// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "ucx_probe.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>
#include <string>

#include "probe_child.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

constexpr const char* kLibrary = "libucp.so.0";

[[noreturn]] void sayVersion() {
  std::string text;
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  void* symbol = library != nullptr ? dlsym(library, "ucp_get_version_string") : nullptr;
  if (symbol != nullptr)
    text = std::string("+") + reinterpret_cast<const char* (*)()>(symbol)();
  else
    text = std::string("-") + dlerror();
  _exit(write(STDOUT_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
}

ordered_json libraryJson() {
  const ProbeOutput output = probeInChild(sayVersion);
  const bool isLoaded = output.text.starts_with("+");
  std::string problem;
  if (output.text.empty())
    problem = output.late ? fmt::format("loading {} took longer than {} ms", kLibrary, kProbeMs)
                          : fmt::format("loading {} ended the process that tried", kLibrary);
  else if (!isLoaded)
    problem = output.text.substr(1);
  return {{"name", kLibrary},
          {"loads", isLoaded},
          {"version", isLoaded ? ordered_json(output.text.substr(1)) : ordered_json(nullptr)},
          {"problem", problem.empty() ? ordered_json(nullptr) : ordered_json(problem)}};
}

// What stands behind "#   key: " in a line.
std::string valueOf(const std::string& line, const std::string& key) {
  const size_t at = line.find(key + ": ");
  if (at == std::string::npos || line.find_first_not_of("# ") != at) return "";
  return line.substr(at + key.size() + 2);
}

// In the order of the output; a transport that has several devices is listed once for each there.
ordered_json transportsOf(const std::string& text) {
  ordered_json list = ordered_json::array();
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (const std::string transport = valueOf(line, "Transport"); !transport.empty()) {
      if (list.empty() || list.back()["transport"] != transport)
        list.push_back({{"transport", transport}, {"devices", ordered_json::array()}});
    } else if (const std::string device = valueOf(line, "Device"); !device.empty() && !list.empty()) {
      list.back()["devices"].push_back(device);
    }
  }
  return list;
}

ordered_json devicesJson() {
  const ProbeOutput output = probeInChild([] { execlp("ucx_info", "ucx_info", "-d", nullptr); });
  const ordered_json transports = transportsOf(output.text);
  std::string problem;
  if (output.late)
    problem = fmt::format("ucx_info -d took longer than {} ms", kProbeMs);
  else if (WIFEXITED(output.status) && WEXITSTATUS(output.status) == kProbeNotFound)
    problem = "ucx_info is not in PATH (Debian: ucx-utils)";
  else if (transports.empty())
    problem = "ucx_info -d names no transport";
  return {{"from", problem.empty() ? ordered_json("ucx_info -d") : ordered_json(nullptr)},
          {"transports", problem.empty() ? transports : ordered_json(nullptr)},
          {"problem", problem.empty() ? ordered_json(nullptr) : ordered_json(problem)}};
}

}  // namespace

ordered_json probeUcx() { return {{"library", libraryJson()}, {"devices", devicesJson()}}; }

}  // namespace ulysses::perf
