// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <nlohmann/json.hpp>

#include "topo/nic_choice.h"

namespace ulysses {

/// "allowed" is null where nothing is restricted.
inline nlohmann::ordered_json jsonOf(const NicChoice& choice) {
  using nlohmann::ordered_json;
  return {{"devices", choice.nics},
          {"allowed", choice.isRestricted() ? ordered_json(choice.allowed) : ordered_json(nullptr)},
          {"reason", choice.reason}};
}

}  // namespace ulysses
