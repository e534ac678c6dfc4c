// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// In place of cuda_view.cc, where the tool is built without CUDA.
#include "cuda_probe.h"

namespace ulysses::perf {

nlohmann::ordered_json cudaView() {
  return {{"built", false},
          {"driver", nullptr},
          {"runtime", nullptr},
          {"gpus", nlohmann::ordered_json::array()},
          {"problem", "built without CUDA; build it where nvcc is, with -Dcuda=enabled"}};
}

}  // namespace ulysses::perf
