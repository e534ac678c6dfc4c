// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Makers of the contenders: the library's exchange and what it is compared with.
#pragma once

#include <cstdint>
#include <memory>

#include "case.h"
#include "contender.h"
#include "options.h"
#include "shared.h"
#include "shared_tensors.h"
#include "ulysses_coll.h"

namespace ulysses::perf {

std::unique_ptr<Contender> makeUlysses(const Options& options, const Case& test, int rank, ulyssesComm_t comm);

// floor: each byte copied once over shared memory, straight from the peer's tensor to its place in the output, with
// the kernel that measured best and two flag barriers around it. Partial values that the exchange would add are copied
// to a place of their own: the same bytes move, nothing is added.
std::unique_ptr<Contender> makeFloor(const Options& options, const Case& test, int rank, const SharedStorage& storage,
                                     Barrier& barrier);

// permute: what a careful user writes without the library, in the fewest passes for the layout: pack by destination
// where the sender's blocks are not contiguous, one contiguous copy per peer over shared memory, unpack where the
// receiver's are not; partial values are added in float32 while unpacking.
std::unique_ptr<Contender> makePermute(const Options& options, const Case& test, int rank, const SharedStorage& storage,
                                       Barrier& barrier);

// Shared memory that these two need of each rank's stripe; the permute comes behind the floor.
int64_t floorStripeBytes(const Case& test);
int64_t permuteStripeBytes(const Case& test);

// MPI's rows, in the helper's ranks. A contender whose counts do not fit MPI's int is nullptr, and `why` says so.
std::unique_ptr<Contender> makeMpiPack(const Case& test, int rank, std::string& why);
std::unique_ptr<Contender> makeMpiDatatypes(const Case& test, int rank, std::string& why);

}  // namespace ulysses::perf
