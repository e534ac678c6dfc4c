// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which network devices a rank gets, on machines that XML files describe and on odd ones; and what a host's sysfs
// tells.
#include "topo/nic_choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "error_of.h"
#include "topo/net_ports.h"

namespace ulysses::test {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

Machine described(const std::string& name) {
  return machineFromXml(std::string(ULYSSES_MACHINES) + "/" + name + ".xml");
}

NicRequest wanted(NicPolicy policy) { return {.policy = policy}; }

NicChoice nearestTo(const Machine& machine, const NicPlace& place, NicPolicy policy = NicPolicy::Auto) {
  return chooseNics(machine, place, wanted(policy));
}

NicPlace onGpu(const std::string& pciId) { return {.gpuPciId = pciId}; }
NicPlace onNode(int node, int turn = 0, int ranks = 1) { return {.numaNodes = {node}, .turn = turn, .ranks = ranks}; }

void expectUnrestricted(const NicChoice& choice, const Names& nics, const std::string& reason) {
  EXPECT_FALSE(choice.isRestricted()) << joinedNames(choice.allowed);
  EXPECT_EQ(choice.nics, nics);
  EXPECT_EQ(choice.reason, reason);
}

NetPort& portOf(Machine& machine, const std::string& name) {
  const auto at = std::ranges::find(machine.ports, name, &NetPort::name);
  if (at == machine.ports.end()) raise(Result::InternalError, "the test's machine has no {}", name);
  return *at;
}

TEST(NicChoice, EachGpuHasTheNicOfItsSwitch) {
  const Machine machine = described("eight_gpus");
  int number = 0;
  for (const Device& device : machine.devices) {
    if (device.kind != DeviceKind::Gpu) continue;
    const NicChoice choice = nearestTo(machine, onGpu(device.pciId));
    const Names own{"mlx5_" + std::to_string(number++) + ":1"};
    EXPECT_EQ(choice.nics, own);
    EXPECT_EQ(choice.allowed, own) << "there are no interfaces";
    EXPECT_EQ(choice.reason, "same PCIe switch as GPU " + device.pciId);
  }
  EXPECT_EQ(number, 8);
}

TEST(NicChoice, RanksOfASocketShareItsNics) {
  const Machine machine = described("eight_gpus");
  for (int node = 0; node < 2; ++node)
    for (int turn = 0; turn < 6; ++turn) {
      const NicChoice choice = nearestTo(machine, onNode(node, turn, 6));
      EXPECT_EQ(choice.nics, Names{"mlx5_" + std::to_string(4 * node + turn % 4) + ":1"});
      EXPECT_EQ(choice.reason, "same NUMA node as its cores (NUMA node " + std::to_string(node) +
                                   "); 4 are equally near, and 6 ranks share them");
    }
  EXPECT_EQ(nearestTo(machine, onNode(1, 1, 3)).nics, Names{"mlx5_5:1"});
  EXPECT_EQ(nearestTo(machine, onNode(1, 0, 3)).nics, (Names{"mlx5_4:1", "mlx5_7:1"})) << "the fourth is used too";
  EXPECT_EQ(nearestTo(machine, onNode(1)).nics, (Names{"mlx5_4:1", "mlx5_5:1", "mlx5_6:1", "mlx5_7:1"}));
}

TEST(NicChoice, AGpuGoesBeforeCores) {
  const Machine machine = described("eight_gpus");
  NicPlace place = onGpu("0000:02:00.0");
  place.numaNodes = {1};
  EXPECT_EQ(nearestTo(machine, place).nics, Names{"mlx5_1:1"});
  place.gpuPciId = "0000:ff:00.0";  // not of this machine: a container hides it, say
  EXPECT_EQ(nearestTo(machine, place).nics.front(), "mlx5_4:1");
}

TEST(NicChoice, NothingIsRestrictedWhereNothingIsKnown) {
  const Machine machine = described("eight_gpus");
  const NicChoice choice = nearestTo(machine, {});
  EXPECT_FALSE(choice.isRestricted());
  EXPECT_EQ(choice.nics.size(), 8u);
  EXPECT_EQ(choice.reason, "all 8: no binding, same distance");
  expectUnrestricted(nearestTo(Machine{}, onNode(0)), {}, "no adapter for RDMA is up: UCX chooses among interfaces");
}

TEST(NicChoice, InterfacesAreLeftToUcxUnlessItIsSaid) {
  const Machine machine = described("two_sockets");
  expectUnrestricted(nearestTo(machine, onNode(1)), {"eth0", "eth1"},
                     "no adapter for RDMA is up: UCX chooses among interfaces");
  const NicChoice choice = nearestTo(machine, onNode(1), NicPolicy::Nearest);
  EXPECT_EQ(choice.allowed, Names{"eth1"});
  EXPECT_EQ(choice.reason, "same NUMA node as its cores (NUMA node 1)");
  expectUnrestricted(chooseNics(machine, onNode(1), {.policy = NicPolicy::Any, .from = "so"}), {"eth0", "eth1"}, "so");
}

TEST(NicChoice, TheOnlyOneServesAll) {
  const Machine machine = described("asymmetric");
  for (const int node : {0, 1})
    expectUnrestricted(nearestTo(machine, onNode(node), NicPolicy::Nearest), {"eth0"}, "the only one");
}

/// Two GPUs and two adapters below one switch, each pair below a switch of its own there; four NUMA nodes on two
/// sockets; one adapter down, one without a place; interfaces of adapters, and one of containers.
TEST(NicChoice, OddMachine) {
  const Machine machine = described("odd");
  Names names;
  for (const NetPort& port : machine.ports) names.push_back(port.name);
  EXPECT_EQ(names, (Names{"mlx5_0:1", "mlx5_1:1", "mlx5_2:1", "mlx5_3:1", "mlx5_9:1", "docker0", "ib0", "ib1", "ib2"}));
  for (int gpu = 0; gpu < 2; ++gpu) {
    const std::string pci = gpu == 0 ? "0000:02:00.0" : "0000:06:00.0", nic = formatText("mlx5_{}:1", gpu);
    const NicChoice choice = nearestTo(machine, onGpu(pci));
    EXPECT_EQ(choice.nics, Names{nic}) << "of the nearer switch";
    EXPECT_EQ(choice.allowed, (Names{nic, "docker0", "ib0", "ib1", "ib2"})) << "interfaces are not restricted";
    EXPECT_EQ(choice.reason, "same PCIe switch as GPU " + pci);
  }
  const NicChoice neighbour = nearestTo(machine, onNode(1, 1, 2));
  EXPECT_EQ(neighbour.nics, Names{"mlx5_1:1"});
  EXPECT_EQ(neighbour.reason, "same socket as its cores (NUMA node 1); 2 are equally near, and 2 ranks share them");
  EXPECT_EQ(nearestTo(machine, onNode(2)).nics, Names{"mlx5_2:1"}) << "mlx5_3 is down";
  EXPECT_EQ(nearestTo(machine, onNode(3)).reason, "same socket as its cores (NUMA node 3)");
  EXPECT_EQ(nearestTo(machine, {.numaNodes = {1, 2}}).nics, Names{"mlx5_2:1"}) << "the nearest of either node";
}

TEST(NicChoice, ASocketWithoutNicsUsesThoseOfTheOther) {
  Machine machine = described("odd");
  portOf(machine, "mlx5_2:1").isUp = false;
  const NicChoice choice = nearestTo(machine, onNode(2, 0, 2));
  EXPECT_EQ(choice.nics, Names{"mlx5_0:1"});
  EXPECT_EQ(choice.reason,
            "none is nearer: on another NUMA node than its cores (NUMA node 2); 2 are equally near, and 2 ranks share "
            "them");
}

TEST(NicChoice, SlowAdaptersAreForOtherThings) {
  Machine machine = described("odd");
  for (NetPort& port : machine.ports) port.mbitPerSecond = port.name == "mlx5_2:1" ? 25'000 : 400'000;
  EXPECT_EQ(nearestTo(machine, onNode(2)).nics, (Names{"mlx5_0:1", "mlx5_1:1"}));
  portOf(machine, "mlx5_2:1").mbitPerSecond = 200'000;
  EXPECT_EQ(nearestTo(machine, onNode(2)).nics, Names{"mlx5_2:1"});
}

TEST(NicChoice, DifferentSubnetsAreNotTakenApart) {
  Machine machine = described("odd");
  portOf(machine, "mlx5_9:1").isUp = false;
  portOf(machine, "mlx5_1:1").subnet = "fec0:0000:0000:0001";
  expectUnrestricted(nearestTo(machine, onNode(2)), {"mlx5_0:1", "mlx5_1:1", "mlx5_2:1"},
                     "all 3: mlx5_0:1 and mlx5_1:1 are in different subnets");
  for (NetPort& port : machine.ports) port.mbitPerSecond = port.name == "mlx5_1:1" ? 25'000 : 400'000;
  EXPECT_EQ(nearestTo(machine, onNode(2)).nics, Names{"mlx5_2:1"}) << "the other one is for other things";
}

/// As in a virtual machine: interfaces and adapters that are not on PCI.
TEST(NicChoice, PortsWithoutAPlace) {
  Machine machine;
  machine.ports = {{.name = "rxe0:1", .isRdma = true}, {.name = "rxe1:1", .isRdma = true}, {.name = "eth0"}};
  expectUnrestricted(nearestTo(machine, onNode(0)), {"rxe0:1", "rxe1:1"},
                     "all 2: nothing tells where in the machine they are");
}

TEST(NicChoice, UcxTakesNoListOfMoreThan64) {
  Machine machine = described("odd");
  for (int i = 0; i < 59; ++i) machine.ports.push_back({.name = formatText("eth{}", i)});
  EXPECT_EQ(nearestTo(machine, onNode(2)).allowed.size(), 64u);
  machine.ports.push_back({.name = "eth59"});
  const NicChoice choice = nearestTo(machine, onNode(2));
  EXPECT_FALSE(choice.isRestricted());
  EXPECT_EQ(choice.reason, "65 devices are more than UCX takes a list of");
}

NicChoice named(const Machine& machine, const Names& names) {
  return chooseNics(machine, {}, {.policy = NicPolicy::List, .names = names, .from = "SETTING"});
}

TEST(NicChoice, NamesAreTaken) {
  const Machine machine = described("odd");
  EXPECT_EQ(named(machine, {"ib1", "mlx5_0", "mlx5_0:1"}).allowed, (Names{"ib1", "mlx5_0:1"}));
  EXPECT_EQ(named(machine, {"docker0"}).allowed, Names{"docker0"}) << "internal ones by their name only";
  EXPECT_EQ(named(machine, {"ib1"}).reason, "SETTING");
}

TEST(NicChoice, AWrongNameIsAnErrorThatListsThoseThereAre) {
  const Machine machine = described("odd");
  const std::string list = "mlx5_0:1, mlx5_1:1, mlx5_2:1, mlx5_3:1 (down), mlx5_9:1, docker0, ib0, ib1, ib2";
  for (const char* wrong : {"eth7", "ib", "mlx5_0:2", "mlx5"})
    EXPECT_EQ(
        errorOf([&] {
          (void)named(machine, {"ib0", wrong});
        }),
        formatText("InvalidArgument: SETTING: network device {} of host odd does not exist; there are: {}. Name one "
                   "of these, or auto or any",
                   wrong, list));
  EXPECT_EQ(
      errorOf([&] { (void)named(machine, {"mlx5_3"}); }),
      formatText("InvalidArgument: SETTING: network device mlx5_3 of host odd is down or has no address; there are: "
                 "{}. Name one of these, or auto or any",
                 list));
}

TEST(NicChoice, WhetherPlacesMatter) {
  const Machine machine = described("two_sockets");
  EXPECT_FALSE(dependsOnPlace(machine.ports, NicPolicy::Auto));
  EXPECT_TRUE(dependsOnPlace(machine.ports, NicPolicy::Nearest));
  EXPECT_TRUE(dependsOnPlace(described("eight_gpus").ports, NicPolicy::Auto));
  for (const NicPolicy policy : {NicPolicy::Any, NicPolicy::List})
    EXPECT_FALSE(dependsOnPlace(described("eight_gpus").ports, policy));
}

/// A host's sysfs, written by hand.
class Sysfs {
 public:
  Sysfs() {
    char name[] = "/tmp/ulysses_sysfs_XXXXXX";
    root_ = mkdtemp(name);
  }
  Sysfs(const Sysfs&) = delete;
  Sysfs& operator=(const Sysfs&) = delete;
  ~Sysfs() { fs::remove_all(root_); }
  std::string root() const { return root_; }
  void file(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << "\n";
  }
  void link(const std::string& path, const std::string& to) const {
    fs::create_directories((root_ / path).parent_path());
    fs::create_directories(root_ / to);
    fs::create_directory_symlink(root_ / to, root_ / path);
  }

 private:
  fs::path root_;
};

TEST(NetPorts, AsSysfsTells) {
  const Sysfs sysfs;
  for (const auto* adapter : {"mlx5_10", "mlx5_2"}) {
    const std::string folder = std::string("class/infiniband/") + adapter;
    sysfs.link(folder + "/device", "devices/pci0000:00/0000:00:01.0/0000:3b:00.1");
    sysfs.file(folder + "/ports/1/state", "4: ACTIVE");
    sysfs.file(folder + "/ports/1/rate", "400 Gb/sec (4X NDR)");
    sysfs.file(folder + "/ports/1/gids/0", "fe80:0000:0000:0001:0002:c903:0000:1491");
  }
  sysfs.file("class/infiniband/mlx5_2/ports/2/state", "1: DOWN");
  sysfs.file("class/net/eth0/speed", "25000");
  sysfs.link("class/net/eth0/device", "devices/pci0000:00/0000:00:03.0/virtio0");
  sysfs.file("class/net/eth1/speed", "-1");
  const auto ports =
      portsIn(sysfs.root(), {{"lo", true, true}, {"eth1", false}, {"eth0", true}, {"docker0", true}, {"veth12", true}});
  Names told;
  for (const NetPort& port : ports)
    told.push_back(formatText("{}{}{}{} {} [{}] {}", port.name, port.isRdma ? " rdma" : "", port.isUp ? "" : " down",
                              port.isInternal ? " internal" : "", port.mbitPerSecond, port.subnet, port.pciId));
  EXPECT_EQ(told,
            (Names{"mlx5_2:1 rdma 400000 [fe80:0000:0000:0001] 0000:3b:00.1", "mlx5_2:2 rdma down 0 [] 0000:3b:00.1",
                   "mlx5_10:1 rdma 400000 [fe80:0000:0000:0001] 0000:3b:00.1", "docker0 internal 0 [] ",
                   "eth0 25000 [] 0000:00:03.0", "eth1 down 0 [] ", "lo internal 0 [] ", "veth12 internal 0 [] "}));
}

TEST(NetPorts, OfThisHost) {
  const auto ports = systemPorts();
  const auto loopback = std::ranges::find(ports, "lo", &NetPort::name);
  ASSERT_NE(loopback, ports.end());
  EXPECT_TRUE(loopback->isInternal);
  EXPECT_TRUE(portsIn("/nonexistent", {}).empty());
}

}  // namespace
}  // namespace ulysses::test
