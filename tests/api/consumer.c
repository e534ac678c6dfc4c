// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0

#include <stdio.h>
#include <ulysses_coll.h>

// Two ranks, 4 tokens, 2 heads, head_dim 1. Rank r starts with tokens 2r and 2r+1 of both heads, and ends with head r
// of all tokens. Here one thread drives both ranks; usually each process has one (ulyssesCommInitRank).
int main(void) {
  ulyssesComm_t comms[2];
  if (ulyssesCommInitAll(comms, 2, NULL)) return puts(ulyssesGetLastError(NULL)), 1;
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = 4, geometry.heads = 2;
  float input[2][2][2] = {{{0, 1}, {10, 11}}, {{20, 21}, {30, 31}}}, output[2][4];  // 10 * token + head
  ulyssesGroupStart();
  for (int rank = 0; rank < 2; rank++) {
    ulyssesTensor_t tensor = {.input = input[rank], .output = output[rank], .headDim = 1, .dtype = ulyssesFloat32};
    ulyssesScatterHeads(&geometry, &tensor, 1, comms[rank], NULL);
  }
  if (ulyssesGroupEnd()) return puts(ulyssesGetLastError(NULL)), 1;
  for (int token = 0; token < 4; token++) printf("head 0: %2g   head 1: %2g\n", output[0][token], output[1][token]);
  for (int rank = 0; rank < 2; rank++) ulyssesCommDestroy(comms[rank]);
  return 0;
}
