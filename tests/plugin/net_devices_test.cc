// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which devices NCCL is offered, on machines that this one is not: from made-up /sys trees.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "devices.h"

namespace ulysses::nccl {
namespace {

namespace fs = std::filesystem;

Interface interface(const char* name, const char* ip) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, ip, &address.sin_addr);
  return {name, SocketAddress::from(reinterpret_cast<const sockaddr*>(&address)), std::string(name) == "lo"};
}

class NetDevices : public testing::Test {
 protected:
  NetDevices() : sys_(testing::TempDir() + "nccl_net_sys_" + std::to_string(getpid())) {
    around_.sys = sys_;
    around_.interfaces = {interface("lo", "127.0.0.1"), interface("docker0", "172.17.0.1"),
                          interface("eth0", "10.0.0.1"), interface("ib0", "10.1.0.1")};
    write("class/net/eth0/speed", "25000");
    write("class/net/eth0/address", "02:00:00:00:00:07");
    write("class/net/lo/address", "00:00:00:00:00:00");
    write("class/net/ib0/speed", "-1");
    fs::create_directories(sys_ + "/devices/pci0000:00/0000:00:03.0/virtio0");
    fs::create_directory_symlink("../../../devices/pci0000:00/0000:00:03.0/virtio0", sys_ + "/class/net/eth0/device");
  }
  ~NetDevices() override { fs::remove_all(sys_); }

  void write(const std::string& file, const std::string& line) {
    fs::create_directories(fs::path(sys_ + "/" + file).parent_path());
    std::ofstream(sys_ + "/" + file) << line << "\n";
  }
  void addInfiniband() {
    write("class/infiniband/mlx5_0/node_guid", "0c42:a103:00d1:2f3a");
    write("class/infiniband/mlx5_0/ports/1/state", "4: ACTIVE");
    write("class/infiniband/mlx5_0/ports/1/rate", "200 Gb/sec (4X HDR)");
    write("class/infiniband/mlx5_0/ports/2/state", "1: DOWN");
    fs::create_directories(sys_ + "/devices/pci0000:80/0000:81:00.0/net/ib0");
    fs::create_directory_symlink("../../../devices/pci0000:80/0000:81:00.0", sys_ + "/class/infiniband/mlx5_0/device");
  }
  std::string names() {
    std::string all;
    for (const NetDevice& device : findDevices(around_)) all += device.name + " ";
    return all;
  }

  std::string sys_;
  Surroundings around_;
};

TEST_F(NetDevices, InterfacesOfTheOutside) {
  EXPECT_EQ(names(), "eth0 ib0 ");
  const NetDevice eth = findDevices(around_)[0];
  EXPECT_EQ(eth.speedMbps, 25000);
  EXPECT_EQ(eth.guid, 0x020000000007u);
  EXPECT_EQ(eth.pciPath, fs::canonical(sys_ + "/devices/pci0000:00/0000:00:03.0"));
  const NetDevice ib = findDevices(around_)[1];
  EXPECT_EQ(ib.speedMbps, 10000) << "-1 is not told";
  EXPECT_TRUE(ib.pciPath.empty());
  EXPECT_NE(ib.guid, 0u);
}

TEST_F(NetDevices, LoopbackWhenThereIsNothingElse) {
  around_.interfaces.resize(2);
  EXPECT_EQ(names(), "lo ");
  EXPECT_NE(findDevices(around_)[0].guid, 0u);
  around_.interfaces.clear();
  EXPECT_THROW(findDevices(around_), Error);
}

TEST_F(NetDevices, ActivePortsOfAdaptersComeFirst) {
  addInfiniband();
  ASSERT_EQ(names(), "mlx5_0:1 ");
  const NetDevice port = findDevices(around_)[0];
  EXPECT_EQ(port.speedMbps, 200000);
  EXPECT_EQ(port.guid, 0x0c42a10300d12f3au);
  EXPECT_EQ(port.port, 1);
  EXPECT_EQ(port.pciPath, fs::canonical(sys_ + "/devices/pci0000:80/0000:81:00.0"));
  EXPECT_EQ(port.address.text(), "10.1.0.1:0") << "its own interface's";
}

TEST_F(NetDevices, WithoutInfinibandsTransportsNoAdapters) {
  addInfiniband();
  around_.transports = "tcp,self";
  EXPECT_EQ(names(), "eth0 ib0 ");
  around_.transports = "rc,self";
  EXPECT_EQ(names(), "mlx5_0:1 ");
  around_.transports = "^cuda";
  EXPECT_EQ(names(), "mlx5_0:1 ");
}

TEST_F(NetDevices, TheUsersChoice) {
  addInfiniband();
  around_.netDevices = "lo,docker0";
  EXPECT_EQ(names(), "docker0 lo ");
  around_.netDevices = "mlx5_0";
  EXPECT_EQ(names(), "mlx5_0:1 ");
  around_.netDevices = "mlx5_0:1,eth0";
  EXPECT_EQ(names(), "mlx5_0:1 eth0 ");
  around_.netDevices = "mlx5_0:2";
  try {
    findDevices(around_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.result(), Result::SystemError);
    EXPECT_NE(std::string(error.what()).find("UCX_NET_DEVICES=mlx5_0:2"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace ulysses::nccl
