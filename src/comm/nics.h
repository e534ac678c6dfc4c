// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The network devices of a rank: who asks for which, and where the rank is.
#pragma once
#include <cstdint>
#include <string>

#include "comm/bootstrap/rendezvous.h"
#include "topo/nic_choice.h"

namespace ulysses {

/// What ULYSSES_NET_DEVICES is: a word, or names of devices. Throws InvalidArgument for an empty name.
NicRequest parseNetDevices(const char* text);

/// The NUMA node that this rank's devices are nearest to, for RankInfo: ranks with equal ones share them. -1: nothing
/// is chosen by place here, or the place is not known.
int32_t placeNodeFor(const NicRequest& own);

/// Of this rank, whose own request that is; rank 0's word holds where this one names no devices, and UCX_NET_DEVICES
/// before that. Walks PCI, once in a process, where there are several devices to choose among. Throws Error.
NicChoice nicsOf(const Membership& membership, int rank, const NicRequest& own);

}  // namespace ulysses
