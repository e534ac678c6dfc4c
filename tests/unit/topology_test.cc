// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// ulyssesGetTopology as a caller sees it: machines that XML files describe, this one, and what is refused.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "ulysses_coll.h"

namespace ulysses::test {
namespace {

using nlohmann::json;

#if defined(__SANITIZE_ADDRESS__)
const __lsan::ScopedDisabler kPlugins;  // those of hwloc leak when they are loaded, in whichever test comes first
#endif

std::string topologyText(const char* xmlFile) {
#if defined(__SANITIZE_ADDRESS__)
  const __lsan::ScopedDisabler threads;  // the one above is of the main thread; plugins leak in each
#endif
  std::size_t needed = 0;
  if (ulyssesGetTopology(xmlFile, nullptr, 0, &needed) != ulyssesSuccess) return ulyssesGetLastError(nullptr);
  std::string text(needed, '\1');
  EXPECT_EQ(ulyssesGetTopology(xmlFile, text.data(), text.size(), nullptr), ulyssesSuccess);
  EXPECT_EQ(text.back(), '\0');
  text.pop_back();
  return text;
}

std::string fileOf(const std::string& name) { return std::string(ULYSSES_MACHINES) + "/" + name + ".xml"; }

json described(const std::string& name) { return json::parse(topologyText(fileOf(name).c_str())).at("machine"); }

/// The hook of a file that a test wrote.
class File {
 public:
  explicit File(const std::string& text) {
    char name[] = "/tmp/ulysses_topology_XXXXXX";
    close(mkstemp(name));
    name_ = name;
    std::ofstream(name_) << text;
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { std::remove(name_.c_str()); }
  const char* name() const { return name_.c_str(); }

 private:
  std::string name_;
};

std::string textOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Topology, TwoSocketsWithMemoryAndCaches) {
  const json machine = described("two_sockets");
  EXPECT_EQ(machine["name"], "two-sockets");
  EXPECT_EQ(machine["cores"], 4);
  EXPECT_EQ(machine["hardware_threads"], 4);
  EXPECT_EQ(machine["memory_bytes"], int64_t{128} << 30);
  EXPECT_EQ(machine["caches"], json::parse(R"([{"level": 3, "bytes": 33554432, "count": 2, "cores_sharing_one": 2}])"));
  ASSERT_EQ(machine["numa_nodes"].size(), 2u);
  EXPECT_EQ(machine["numa_nodes"][1], json::parse(R"({"node": 1, "os_index": 1, "memory_bytes": 68719476736, "cores": 2,
                                                      "hardware_threads": "2-3", "network": {
                                                      "devices": ["eth0", "eth1"], "allowed": null,
                                                      "reason": "no adapter for RDMA is up: UCX chooses among interfaces"}})"));
  EXPECT_EQ(machine["network_ports"][1],
            json::parse(R"({"name": "eth1", "rdma": false, "up": true, "internal": false, "mbit_per_s": null,
                            "pci": "0000:81:00.0", "numa_node": 1})"));
  ASSERT_EQ(machine["nics"].size(), 2u);
  EXPECT_EQ(machine["nics"][1]["name"], "eth1");
  EXPECT_EQ(machine["nics"][1]["pci"], "0000:81:00.0");
  EXPECT_EQ(machine["nics"][1]["numa_node"], 1);
  EXPECT_NEAR(machine["nics"][1]["pci_gbyte_per_s"].get<double>(), 63, 0.1);
  EXPECT_TRUE(machine["gpus"].empty());
}

TEST(Topology, WhatAFileDoesNotTellIsNull) {
  const json machine = described("two_sockets");
  for (const char* key : {"boot_id_hash", "network_namespace", "system", "cpu"}) EXPECT_TRUE(machine[key].is_null());
  EXPECT_TRUE(machine["nics"][0]["model"].is_null());
}

TEST(Topology, EachGpuHasItsNearestNics) {
  const json machine = described("eight_gpus");
  ASSERT_EQ(machine["gpus"].size(), 8u);
  ASSERT_EQ(machine["nics"].size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    const json& gpu = machine["gpus"][i];
    EXPECT_EQ(gpu["numa_node"], i < 4 ? 0 : 1);
    ASSERT_EQ(gpu["nearest_nics"].size(), 1u);
    EXPECT_EQ(gpu["nearest_nics"][0]["name"], "mlx5_" + std::to_string(i));
    EXPECT_EQ(gpu["nearest_nics"][0]["distance"], "same PCIe switch");
    EXPECT_EQ(gpu["network"]["devices"], json::array({"mlx5_" + std::to_string(i) + ":1"}));
    EXPECT_EQ(gpu["network"]["reason"], "same PCIe switch as GPU " + gpu["pci"].get<std::string>());
  }
  EXPECT_EQ(machine["numa_nodes"][1]["network"]["allowed"],
            json::parse(R"(["mlx5_4:1", "mlx5_5:1", "mlx5_6:1", "mlx5_7:1"])"));
}

TEST(Topology, PortsThatAreDownOrHaveNoPlace) {
  const json ports = described("odd")["network_ports"];
  ASSERT_EQ(ports.size(), 9u);
  EXPECT_FALSE(ports[3]["up"]);
  EXPECT_EQ(ports[3]["numa_node"], 2);
  EXPECT_TRUE(ports[4]["pci"].is_null()) << ports[4];
  EXPECT_TRUE(ports[4]["numa_node"].is_null()) << ports[4];
  EXPECT_TRUE(ports[5]["internal"]) << ports[5];
}

TEST(Topology, FarNicsAreNearestToo) {
  const json machine = described("asymmetric");
  ASSERT_EQ(machine["gpus"].size(), 3u);
  EXPECT_EQ(machine["gpus"][0]["nearest_nics"][0]["distance"], "same PCIe root");
  EXPECT_EQ(machine["gpus"][2]["nearest_nics"][0]["distance"], "other NUMA node");
  EXPECT_EQ(machine["gpus"][2]["nearest_nics"][0]["name"], "eth0");
}

TEST(Topology, OfSwitchesInARowTheInnermostIsNearest) {
  const json machine = described("odd");
  for (std::size_t i = 0; i < 2; ++i) {
    const json& nearest = machine["gpus"][i]["nearest_nics"];
    ASSERT_EQ(nearest.size(), 1u) << nearest;
    EXPECT_EQ(nearest[0]["name"], "mlx5_" + std::to_string(i));
    EXPECT_EQ(machine["gpus"][i]["network"]["devices"], json::array({"mlx5_" + std::to_string(i) + ":1"}));
  }
}

/// A host bridge that hangs at the machine itself, as hwloc has it where the firmware does not say more.
TEST(Topology, UnknownPlaceIsNoNode) {
  std::string text = textOf(fileOf("two_sockets"));
  const std::string bridge = R"(<object type="Bridge" bridge_type="0-1")";
  const std::size_t begin = text.find(bridge), end = text.find("\n    </object>", text.find("eth0")) + 1;
  ASSERT_NE(begin, std::string::npos);
  const std::string device = text.substr(begin, end - begin);
  text.erase(begin, end - begin);
  text.insert(text.rfind("\n  </object>") + 1, device);
  const File file(text);
  const json machine = json::parse(topologyText(file.name())).at("machine");
  ASSERT_EQ(machine["nics"].size(), 2u);
  EXPECT_TRUE(machine["nics"][0]["numa_node"].is_null()) << machine["nics"][0];
  EXPECT_EQ(machine["nics"][1]["numa_node"], 1);
}

/// Names and models come from outside.
TEST(Topology, AnyBytesGiveJson) {
  std::string text = textOf(fileOf("two_sockets"));
  text.replace(text.find("two-sockets"), 11, "a&quot;\\{}&#10;b");
  const File file(text);
  EXPECT_EQ(json::parse(topologyText(file.name()))["machine"]["name"], "a\"\\{}\nb");
}

TEST(Topology, ThisMachine) {
  const json document = json::parse(topologyText(nullptr));
  EXPECT_EQ(document["format"], 1);
  EXPECT_EQ(document["library"]["version"], "0.1.0");
  for (const char* option : {"checks", "fault_points", "pmix", "ucx", "cuda"})
    EXPECT_TRUE(document["library"][option].is_boolean()) << option;
  const json& machine = document["machine"];
  utsname system{};
  ASSERT_EQ(uname(&system), 0);
  EXPECT_EQ(machine["name"], system.nodename);
  EXPECT_EQ(machine["system"], std::string(system.sysname) + " " + system.release);
  EXPECT_EQ(machine["boot_id_hash"].get<std::string>().size(), 8u);
  struct stat network {};
  ASSERT_EQ(stat("/proc/self/ns/net", &network), 0);
  EXPECT_EQ(machine["network_namespace"], network.st_ino);
  EXPECT_GE(machine["cores"], 1);
  EXPECT_LE(machine["hardware_threads"], sysconf(_SC_NPROCESSORS_CONF));
  EXPECT_GT(machine["memory_bytes"], 0);
}

TEST(Topology, TextIsCutAndItsLengthTold) {
  const std::string file = fileOf("two_sockets"), whole = topologyText(file.c_str());
  char text[12];
  std::size_t needed = 0;
  ASSERT_EQ(ulyssesGetTopology(file.c_str(), text, sizeof text, &needed), ulyssesSuccess);
  EXPECT_STREQ(text, "{\n\"format\":");
  EXPECT_EQ(needed, whole.size() + 1);
  std::vector<char> exact(needed);
  ASSERT_EQ(ulyssesGetTopology(file.c_str(), exact.data(), needed, nullptr), ulyssesSuccess);
  EXPECT_EQ(exact.data(), whole);
}

TEST(Topology, WrongArgumentsAreNamed) {
  std::size_t needed = 0;
  EXPECT_EQ(ulyssesGetTopology(nullptr, nullptr, 5, &needed), ulyssesInvalidArgument);
  EXPECT_STREQ(ulyssesGetLastError(nullptr), "text is NULL, bytes=5");
  EXPECT_EQ(ulyssesGetTopology("", nullptr, 0, &needed), ulyssesInvalidArgument);
  EXPECT_STREQ(ulyssesGetLastError(nullptr), "xmlFile is empty: give a file of hwloc, or NULL for this machine");
}

TEST(Topology, FilesThatAreNoTopologyAreNamed) {
  const std::string good = textOf(fileOf("two_sockets"));
  for (const std::string& bad : {std::string(), std::string("no XML"), good.substr(0, good.size() / 2)}) {
    const File file(bad);
    std::size_t needed = 0;
    EXPECT_EQ(ulyssesGetTopology(file.name(), nullptr, 0, &needed), ulyssesInvalidArgument) << bad.size() << " bytes";
    EXPECT_EQ(std::string(ulyssesGetLastError(nullptr)).find(file.name()), 0u) << ulyssesGetLastError(nullptr);
  }
  EXPECT_EQ(ulyssesGetTopology("/", nullptr, 0, nullptr), ulyssesInvalidArgument);
}

TEST(Topology, ThreadsAskAtOnce) {
  const std::string file = fileOf("eight_gpus"), expected = topologyText(file.c_str());
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (std::string& text : texts) threads.emplace_back([&text, &file] { text = topologyText(file.c_str()); });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : texts) EXPECT_EQ(text, expected);
}

}  // namespace
}  // namespace ulysses::test
