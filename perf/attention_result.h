// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a run of attention is made of, and what comes of its times, whoever started its ranks.
#pragma once

#include <vector>

#include "attention_rank.h"
#include "attention_report.h"
#include "options.h"
#include "shared.h"

namespace ulysses::perf {

// Of the exchange there, from which sizes and shares are.
Case attentionCase(const Options& options);

// Throws InputError when the tensors of all ranks do not fit the memory there is.
void checkAttentionMemory(const Options& options, const Case& test);

// About two seconds of the library by itself, at a rate that a core may reach.
AttentionSchedule attentionSchedule(const Options& options, const Case& test, size_t nPeers);

// Times of iterations, of the slowest rank each.
std::vector<double> slowest(const SharedArea& area, int nRanks, Pass pass, int begin, int count);

// Fills in times, work and figures. The area has the times of all ranks.
void summarize(const Options& options, const Case& test, const SharedArea& area, const AttentionSchedule& schedule,
               std::vector<AttentionFigures> figures, AttentionResult& result);

// Prints it and writes the files. The exit code: 1 when a result was too far off, else 0.
int concludeAttention(const Options& options, const Case& test, const AttentionResult& result);

}  // namespace ulysses::perf
