// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A user's program that has MPI and the library in one process: communicators are made before MPI_Init, while MPI is up
// and after MPI_Finalize where the launcher still listens; MPI works in between, and the job ends well.
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "ulysses_coll.h"

static void require(ulyssesResult_t result) {
  if (result == ulyssesSuccess) return;
  fprintf(stderr, "%s: %s\n", ulyssesGetErrorString(result), ulyssesGetLastError(NULL));
  exit(1);
}

/// Each rank's value reaches all: a replicated KV head is an all-gather.
static void exchange(ulyssesComm_t comm) {
  int rank = 0, nRanks = 0;
  require(ulyssesCommUserRank(comm, &rank));
  require(ulyssesCommCount(comm, &nRanks));
  int* all = calloc((size_t)nRanks, sizeof *all);
  const int own = 100 + rank;
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = geometry.heads = nRanks;
  geometry.kvHeads = 1;
  ulyssesTensor_t tensor = {0};
  tensor.input = &own;
  tensor.output = all;
  tensor.headDim = 1;
  tensor.dtype = ulyssesInt32;
  tensor.kind = ulyssesTensorKv;
  require(ulyssesScatterHeads(&geometry, &tensor, 1, comm, NULL));
  for (int peer = 0; peer < nRanks; ++peer)
    if (all[peer] != 100 + peer) exit(2);
  free(all);
}

int main(int argc, char** argv) {
  ulyssesComm_t before = NULL, during = NULL;
  require(ulyssesCommInitLauncher(&before, NULL));
  exchange(before);
  MPI_Init(&argc, &argv);
  require(ulyssesCommInitLauncher(&during, NULL));
  exchange(during);
  int rank = 0, sum = 0, nRanks = 0, rankHere = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &nRanks);
  require(ulyssesCommUserRank(during, &rankHere));
  if (rank != rankHere) exit(3);
  MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  if (sum != nRanks * (nRanks - 1) / 2) exit(4);
  exchange(before);
  require(ulyssesCommDestroy(before));
  MPI_Finalize();
  exchange(during);
  require(ulyssesCommDestroy(during));
  printf("beside MPI: ok\n");
  return 0;
}
