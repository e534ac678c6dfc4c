// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The JSON description of a cluster (docs/user_guide.md has its fields).
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "ulysses_coll.h"

namespace ulysses::perf {

constexpr std::array<const char*, ULYSSES_LINKS> kLinkNames = {"self", "process", "shm_same_numa", "shm_other_numa",
                                                               "network"};

// Throws InputError naming the option, the file, the field (or line), its value and what would work.
ulyssesCluster_t readCluster(const char* option, const std::string& path);

// `origin` stands before the texts of errors.
ulyssesCluster_t parseCluster(const std::string& origin, std::string_view text);

}  // namespace ulysses::perf
