// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

namespace ulysses::perf {

// CUDA's view of this host: "built" (this tool with CUDA), "driver" and "runtime" (versions), "gpus"; null, and none,
// where it is not known, and "problem" says why. Takes at most some seconds; leaves nothing of CUDA in this process.
nlohmann::ordered_json probeCuda();

// The same, in this process, which must not fork afterwards: perf/cuda/cuda_view.cc, or no_view.cc in builds without.
nlohmann::ordered_json cudaView();

}  // namespace ulysses::perf
