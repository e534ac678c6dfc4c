// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "comm/device_exchanges.h"
#include "comm/settings.h"
#include "exchange/exchange.h"
#include "topo/nic_choice.h"

namespace ulysses {

/// The state of a communicator at this rank as JSON: who, settings, network devices, the last failure, the GPU and
/// what is registered of its memory (`device`: null where none ever was), the peers, the last operations, oldest first.
/// One line for each range, peer and operation. Costs system calls.
std::string dumpOf(const Exchange& exchange, const Settings& settings, const std::optional<NicChoice>& nics,
                   const DeviceExchanges* device);

/// Writes it to the file that ULYSSES_DUMP_FILE names, if it names one, and logs where it is. Throws nothing: a dump
/// that cannot be written is warned about.
void writeDumpFile(const Exchange& exchange, const Settings& settings, const std::optional<NicChoice>& nics,
                   const DeviceExchanges* device) noexcept;

}  // namespace ulysses
