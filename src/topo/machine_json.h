// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "topo/host.h"
#include "topo/machine.h"

namespace ulysses {

/// A machine as JSON (docs/user_guide.md has the keys). What is not told is null. `host`: what tells it from others,
/// when it is this one.
std::string jsonOf(const Machine& machine, const std::optional<HostId>& host);

}  // namespace ulysses
