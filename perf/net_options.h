// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ulysses::perf {

struct NetOptions {
  std::string plugin = "libnccl-net-ulysses.so";  // as dlopen finds it
  std::string device;                             // empty: the plugin's first
  std::vector<int64_t> sizes;
  std::vector<int> depths = {8};  // messages in flight
  int rounds = 5;
  bool compareUcx = false, pin = true;
  std::string jsonFile;
};

// Of the words behind "ulysses_perf net"; nullopt: help was asked for and given. Throws InputError.
std::optional<NetOptions> parseNetOptions(int argc, char** argv);

}  // namespace ulysses::perf
