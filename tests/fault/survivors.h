// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What ranks do in the tests in which one of them ends: exchange until that fails, and go on without it.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "fault/team.h"

namespace ulysses::test {

enum class Load { Registered, Private, Sum };
const char* nameOf(Load load);

/// Exchanges, each verified, until one fails; timeNs is when the last one was called, or had failed.
ulyssesResult_t loopUntilFailure(const Rank& rank, ulyssesComm_t comm, Load load);

/// Makes this process end at the n-th time it comes to that fault point (src/base/fault_point.h).
void armPoint(const std::string& point, const std::string& action = "kill", int times = 1);

/// This rank's number in a communicator, and how many there are; -1 when it is none.
int rankIn(ulyssesComm_t comm);
int sizeOf(ulyssesComm_t comm);
/// A verified exchange among all ranks of a communicator: "" or what is wrong.
std::string exchangeOn(ulyssesComm_t comm, bool registered = true);

/// Shrinks, expects nLeft ranks and a verified exchange of them; leaves how long that took in timeNs, and destroys
/// both.
void goOnWithout(Rank& rank, ulyssesComm_t comm, int nLeft);

/// Linux tells a process's exit status to others than its parent from 6.15 on.
bool kernelTellsExits();

}  // namespace ulysses::test
