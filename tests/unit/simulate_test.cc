// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Cluster files as ulysses_perf reads them, and ulyssesPredict as a caller sees it.
#include <gtest/gtest.h>

#include <string>

#include "cluster.h"
#include "error.h"
#include "ulysses_coll.h"

namespace ulysses::perf {
namespace {

constexpr const char* kGood = R"({
  "schema": 1, "hosts": 2, "ranks_per_host": 4, "numa_nodes_per_host": 2, "nics_per_host": 1, "nic_gbit_per_s": 8,
  "links": {
    "self": {"latency_us": 0, "gbyte_per_s": 10},
    "shm_same_numa": {"latency_us": 2, "gbyte_per_s": 10},
    "shm_other_numa": {"latency_us": 2, "gbyte_per_s": 5},
    "network": {"latency_us": 25, "gbyte_per_s": 2}
  }
})";

std::string with(const std::string& from, const std::string& to) {
  std::string text = kGood;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string errorOf(const std::string& text) {
  try {
    (void)parseCluster("FILE", text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(ClusterFile, BecomesUnitsOfTheLibrary) {
  const ulyssesCluster_t cluster = parseCluster("FILE", kGood);
  EXPECT_EQ(cluster.hosts, 2);
  EXPECT_EQ(cluster.ranksPerHost, 4);
  EXPECT_EQ(cluster.numaNodesPerHost, 2);
  EXPECT_DOUBLE_EQ(cluster.nicBytesPerSecond, 1e9);
  EXPECT_DOUBLE_EQ(cluster.links[ulyssesLinkNetwork].latencySeconds, 25e-6);
  EXPECT_DOUBLE_EQ(cluster.links[ulyssesLinkNetwork].secondsPerByte, 0.5e-9);
  EXPECT_EQ(cluster.memoryBytesPerSecond, 0);
}

TEST(ClusterFile, ErrorsNameFieldValueAndRemedy) {
  EXPECT_EQ(errorOf(with("\"hosts\": 2", "\"hosts\": 0")), "FILE: field hosts=0: want a whole number from 1 to 4096");
  EXPECT_EQ(errorOf(with("\"hosts\": 2", "\"hosts\": 2048")),
            "FILE: field ranks_per_host=4: want a whole number from 1 to 2");
  EXPECT_EQ(errorOf(with("\"hosts\": 2", "\"hosts\": 2.5")),
            "FILE: field hosts=2.5: want a whole number from 1 to 4096");
  EXPECT_EQ(errorOf(with("\"schema\": 1", "\"schema\": 2")), "FILE: field schema=2: want a whole number from 1 to 1");
  EXPECT_EQ(errorOf(with("25", "\"fast\"")),
            "FILE: field links.network.latency_us=\"fast\": want a number of at least 0");
  EXPECT_EQ(errorOf(with("\"gbyte_per_s\": 5", "\"gbyte_per_s\": 0")),
            "FILE: field links.shm_other_numa.gbyte_per_s=0: want a number above 0");
  EXPECT_EQ(errorOf(with("\"network\": {\"latency_us\": 25, \"gbyte_per_s\": 2}", "\"network\": 7")),
            "FILE: links.network: want an object, in braces");
  EXPECT_EQ(errorOf(with("nic_gbit_per_s", "nic_gbits")).substr(0, 58),
            "FILE: field nic_gbits=8: there is no such field; use comme");
  EXPECT_EQ(errorOf(with("\"nics_per_host\": 1, ", "")), "FILE: field nics_per_host is missing; add it");
  EXPECT_EQ(errorOf("[]"), "FILE: the whole file: want an object, in braces");
}

TEST(ClusterFile, BadJsonIsNamedByLine) {
  EXPECT_EQ(errorOf("{\n\"schema\": 1,\n\"hosts\": }").substr(0, 22), "FILE: line 3: not JSON");
  EXPECT_EQ(errorOf("").substr(0, 22), "FILE: line 1: not JSON");
}

TEST(ClusterFile, ExamplesAreGood) {
  for (const char* name : {"h100_400g.json", "cpu_25g.json"}) {
    const ulyssesCluster_t cluster = readCluster("--simulate", std::string(ULYSSES_CLUSTERS) + "/" + name);
    EXPECT_GE(cluster.hosts, 2) << name;
  }
}

class Predict : public testing::Test {
 protected:
  Predict() {
    geometry_.sequence = 8192;
    geometry_.heads = 32;
    geometry_.kvHeads = 2;
    tensor_.headDim = 128;
    tensor_.dtype = ulyssesBfloat16;
    tensor_.kind = ulyssesTensorKv;
  }
  ulyssesResult_t predict(ulyssesPrice_t* flat, ulyssesPrice_t* twoLevel, ulyssesOp_t op = ulyssesOpScatterHeads) {
    return ulyssesPredict(op, &geometry_, &tensor_, 1, &cluster_, flat, twoLevel);
  }
  void expectInvalid(const std::string& text, ulyssesOp_t op = ulyssesOpScatterHeads) {
    ulyssesPrice_t price;
    EXPECT_EQ(predict(&price, nullptr, op), ulyssesInvalidArgument);
    EXPECT_NE(std::string(ulyssesGetLastError(nullptr)).find(text), std::string::npos) << ulyssesGetLastError(nullptr);
  }

  ulyssesGeometry_t geometry_ = ULYSSES_GEOMETRY_INITIALIZER;
  ulyssesTensor_t tensor_{};
  ulyssesCluster_t cluster_ = parseCluster("FILE", kGood);
};

TEST_F(Predict, SharedHeadsCrossOnce) {
  ulyssesPrice_t flat{}, twoLevel{};
  ASSERT_EQ(predict(&flat, &twoLevel), ulyssesSuccess) << ulyssesGetLastError(nullptr);
  EXPECT_EQ(twoLevel.bytes[ulyssesLinkNetwork], 8192 * 128 * 2);
  EXPECT_EQ(flat.bytes[ulyssesLinkNetwork], 4 * twoLevel.bytes[ulyssesLinkNetwork]);
  EXPECT_DOUBLE_EQ(flat.seconds, 4 * 8192 * 128 * 2 / 2 / 1e9);  // one NIC at 1 GB/s, each way half
  EXPECT_LT(twoLevel.seconds, flat.seconds);
}

TEST_F(Predict, EitherPriceMayBeLeftOut) { EXPECT_EQ(predict(nullptr, nullptr), ulyssesSuccess); }

TEST_F(Predict, WhatCannotBe) {
  expectInvalid("ULYSSES_TENSOR_SUM", ulyssesOpGatherHeads);
  cluster_.hosts = 0;
  expectInvalid("cluster.hosts=0");
  cluster_.hosts = 1 << 30;
  expectInvalid("at most 1048576 ranks");
  cluster_.hosts = 2;
  cluster_.reserved[3] = 1;
  expectInvalid("cluster.reserved");
  cluster_.magic = 0;
  expectInvalid("cluster.magic");
}

}  // namespace
}  // namespace ulysses::perf
