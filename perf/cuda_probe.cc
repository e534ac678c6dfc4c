// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "cuda_probe.h"

#include <fmt/format.h>
#include <unistd.h>

#include <exception>
#include <string>

#include "probe_child.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

ordered_json viewOrProblem() {
  try {
    return cudaView();
  } catch (const std::exception& error) {
    return {{"built", true},
            {"driver", nullptr},
            {"runtime", nullptr},
            {"gpus", ordered_json::array()},
            {"problem", error.what()}};
  }
}

void sayView() {
  const std::string text = viewOrProblem().dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  for (size_t done = 0; done < text.size();) {
    const ssize_t bytes = write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (bytes <= 0) _exit(1);
    done += static_cast<size_t>(bytes);
  }
  _exit(0);
}

}  // namespace

ordered_json probeCuda() {
  const ProbeOutput output = probeInChild(sayView);
  ordered_json view = ordered_json::parse(output.text, nullptr, false);
  if (!view.is_discarded()) return view;
  const std::string problem = output.late ? fmt::format("CUDA took longer than {} ms to start", kProbeMs)
                                          : "starting CUDA ended the process that tried";
  return {{"built", true},
          {"driver", nullptr},
          {"runtime", nullptr},
          {"gpus", ordered_json::array()},
          {"problem", problem}};
}

}  // namespace ulysses::perf
