// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Machines that XML files describe: devices, distances, the choice of NICs, and links of ranks.
#include "topo/machine.h"

#include <gtest/gtest.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#include "error_of.h"
#include "topo/machine_json.h"

namespace ulysses::test {
namespace {

using Indices = std::vector<int>;

Machine described(const std::string& name) {
  return machineFromXml(std::string(ULYSSES_MACHINES) + "/" + name + ".xml");
}

std::vector<const Device*> devicesOf(const Machine& machine, DeviceKind kind) {
  std::vector<const Device*> devices;
  for (const Device& device : machine.devices)
    if (device.kind == kind) devices.push_back(&device);
  return devices;
}

TEST(Machine, TwoSockets) {
  const Machine machine = described("two_sockets");
  EXPECT_EQ(machine.name, "two-sockets");
  EXPECT_EQ(machine.numaNodes, 2);
  EXPECT_EQ(machine.numaOfCore, (Indices{0, 0, 1, 1}));
  ASSERT_EQ(machine.devices.size(), 2u);
  EXPECT_EQ(machine.devices[1].name, "eth1");
  EXPECT_EQ(machine.devices[1].pciId, "0000:81:00.0");
  EXPECT_EQ(machine.devices[1].numaNode, 1);
  EXPECT_NEAR(machine.devices[1].pciGbytesPerSecond, 63, 0.1);
  EXPECT_EQ(nearestNicsOf(machine, 0), Indices{0});
  EXPECT_EQ(nearestNicsOf(machine, 1), Indices{1});
}

TEST(Machine, EveryGpuHasTheNicOfItsSwitch) {
  const Machine machine = described("eight_gpus");
  const auto gpus = devicesOf(machine, DeviceKind::Gpu);
  ASSERT_EQ(gpus.size(), 8u);
  ASSERT_EQ(devicesOf(machine, DeviceKind::Nic).size(), 8u);
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    const Indices nics = nearestNicsOf(machine, *gpus[i]);
    ASSERT_EQ(nics.size(), 1u);
    const Device& nic = machine.devices[static_cast<std::size_t>(nics[0])];
    EXPECT_EQ(nic.name, "mlx5_" + std::to_string(i));
    EXPECT_EQ(distanceBetween(*gpus[i], nic), Distance::SameSwitch);
  }
  EXPECT_EQ(distanceBetween(*gpus[0], *gpus[1]), Distance::SameRoot);
  EXPECT_EQ(distanceBetween(*gpus[0], *gpus[2]), Distance::SameNuma);
  EXPECT_EQ(distanceBetween(*gpus[0], *gpus[4]), Distance::OtherNuma);
  EXPECT_EQ(nearestNicsOf(machine, 1).size(), 4u);
}

TEST(Machine, OneNicServesBothSockets) {
  const Machine machine = described("asymmetric");
  const auto gpus = devicesOf(machine, DeviceKind::Gpu), nics = devicesOf(machine, DeviceKind::Nic);
  ASSERT_EQ(gpus.size(), 3u);
  ASSERT_EQ(nics.size(), 1u);
  for (const Device* gpu : gpus) EXPECT_EQ(nearestNicsOf(machine, *gpu).size(), 1u);
  EXPECT_EQ(distanceBetween(*gpus[0], *nics[0]), Distance::SameRoot);
  EXPECT_EQ(distanceBetween(*gpus[2], *nics[0]), Distance::OtherNuma);
  EXPECT_EQ(nearestNicsOf(machine, 1).size(), 1u);
}

TEST(Machine, ThisOneHasCores) {
#if defined(__SANITIZE_ADDRESS__)
  const __lsan::ScopedDisabler plugins;  // those of hwloc, which look for devices, leak
#endif
  const Machine machine = thisMachine();
  EXPECT_FALSE(machine.name.empty());
  EXPECT_GE(machine.numaOfCore.size(), 1u);
  EXPECT_TRUE(nearestNicsOf(Machine{}, 0).empty());
}

TEST(Machine, BadFileIsNamed) {
  EXPECT_EQ(errorOf([] { (void)machineFromXml("/nonexistent.xml"); }),
            "InvalidArgument: /nonexistent.xml: not a topology that hwloc can read; write one with: lstopo "
            "--whole-io FILE.xml");
}

/// Host names and PCI names come from outside.
TEST(Machine, BytesThatAreNoTextAreReplaced) {
  Machine machine;
  machine.name = "a\xff\"\n";
  EXPECT_NE(jsonOf(machine, {}).find("\"name\": \"a\xef\xbf\xbd\\\"\\n\","), std::string::npos) << jsonOf(machine, {});
}

TEST(DealNics, NoneServesMoreRanksThanItMust) {
  const std::vector<Indices> all(6, Indices{3, 5});
  EXPECT_EQ(dealNics(all), (Indices{3, 5, 3, 5, 3, 5}));
  EXPECT_EQ(dealNics(std::vector<Indices>{{3}, {3, 5}, {}, {5, 7}}), (Indices{3, 5, -1, 7}));
}

TEST(LinkBetween, ClassAndReason) {
  const RankPlace a{1, "a", 10, 0}, thread{1, "a", 10, 1}, near{1, "a", 11, 0}, far{1, "a", 12, 1}, b{2, "b", 10, 0};
  const auto expect = [&](const RankPlace& other, LinkClass link, const std::string& reason) {
    const Link found = linkBetween(a, other, &other == &a);
    EXPECT_EQ(found.link, link) << nameOf(found.link);
    EXPECT_EQ(found.reason, reason);
  };
  expect(a, LinkClass::Self, "the same rank");
  expect(thread, LinkClass::Process, "threads of process 10");
  expect(near, LinkClass::ShmSameNuma, "both on NUMA node 0 of host a");
  expect(far, LinkClass::ShmOtherNuma, "on NUMA nodes 0 and 1 of host a");
  expect(b, LinkClass::Network, "hosts a and b share no memory");
}

}  // namespace
}  // namespace ulysses::test
