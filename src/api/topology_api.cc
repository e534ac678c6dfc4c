// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0

#include "api/guard.h"
#include "topo/machine_json.h"

using namespace ulysses;
using namespace ulysses::api;

namespace {

constexpr int kFormat = 1;  // of the JSON; grows when a key changes its meaning or goes

#ifdef ULYSSES_FAULT_POINTS
constexpr bool kHasFaultPoints = true;
#else
constexpr bool kHasFaultPoints = false;
#endif
#ifdef ULYSSES_UNCHECKED
constexpr bool kHasChecks = false;
#else
constexpr bool kHasChecks = true;
#endif
#ifdef ULYSSES_HAVE_PMIX
constexpr bool kHasPmix = true;
#else
constexpr bool kHasPmix = false;
#endif
#ifdef ULYSSES_HAVE_UCX
constexpr bool kHasUcx = true;
#else
constexpr bool kHasUcx = false;
#endif
#ifdef ULYSSES_HAVE_CUDA
constexpr bool kHasCuda = true;
#else
constexpr bool kHasCuda = false;
#endif

std::string buildJson() {
  return formatText(R"({{"version":"{}.{}.{}","checks":{},"fault_points":{},"pmix":{},"ucx":{},"cuda":{}}})",
                    ULYSSES_VERSION_MAJOR, ULYSSES_VERSION_MINOR, ULYSSES_VERSION_PATCH, kHasChecks, kHasFaultPoints,
                    kHasPmix, kHasUcx, kHasCuda);
}

std::string topologyJson(const char* xmlFile) {
  const std::string machine = xmlFile ? jsonOf(machineFromXml(xmlFile), {}) : jsonOf(thisMachine(), thisHost());
  return formatText("{{\n\"format\": {},\n\"library\": {},\n\"machine\": {}\n}}\n", kFormat, buildJson(), machine);
}

}  // namespace

extern "C" {

ulyssesResult_t ulyssesGetTopology(const char* xmlFile, char* text, size_t bytes, size_t* needed) {
  return guard([&] {
    require(text != nullptr || bytes == 0, "text is NULL, bytes={}", bytes);
    require(!xmlFile || *xmlFile, "xmlFile is empty: give a file of hwloc, or NULL for this machine");
    const std::string json = topologyJson(xmlFile);
    if (needed) *needed = json.size() + 1;
    if (bytes > 0) text[json.copy(text, bytes - 1)] = '\0';
    return Result::Success;
  });
}

}  // extern "C"
