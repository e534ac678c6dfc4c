// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "device_contender.h"

#include "verify.h"

namespace ulysses::perf {

void DeviceContender::fill(uint64_t seed) const {
  for (int tensor = 0; tensor < test_.nTensors(); ++tensor) {
    const Buffer values = Buffer::plain(arena_.size(input(tensor)));
    fillInput(test_, tensor, rank_, seed, values.data());
    arena_.upload(input(tensor), values);
  }
}

void DeviceContender::poisonOutputs() {
  for (int tensor = 0; tensor < test_.nTensors(); ++tensor) {
    Buffer values = Buffer::plain(arena_.size(output(tensor)));
    values.poison();
    arena_.upload(output(tensor), values);
  }
}

int64_t DeviceContender::countWrong(uint64_t seed) const {
  int64_t wrong = 0;
  for (int tensor = 0; tensor < test_.nTensors(); ++tensor)
    wrong += perf::countWrong(test_, tensor, rank_, seed, arena_.download(output(tensor)).data());
  return wrong;
}

int64_t DeviceContender::damagedGuardBytes() const {
  int64_t damaged = 0;
  for (int piece = 0; piece < 2 * test_.nTensors(); ++piece) damaged += arena_.download(piece).damagedGuardBytes();
  return damaged;
}

void DeviceContender::rewriteInputs() const {
  for (int tensor = 0; tensor < test_.nTensors(); ++tensor)
    device_.rewrite(arena_.data(input(tensor)), arena_.size(input(tensor)));
}

void DeviceContender::readOutputs() const {
  for (int tensor = 0; tensor < test_.nTensors(); ++tensor)
    device_.readAll(arena_.data(output(tensor)), arena_.size(output(tensor)));
}

}  // namespace ulysses::perf
