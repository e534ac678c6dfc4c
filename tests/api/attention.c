// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0

#include <pthread.h>
#include <stdio.h>
#include <ulysses_attention.h>

enum { kRanks = 2, kTokens = 4, kHeads = 2, kDim = 8 };  // tokens of a rank

// One rank: its part of Q, K, V and what it gets. Keys are 0, so every token a token sees counts the same: O of token i
// is the mean of the values of tokens 0..i, and with V = i that is i / 2. dV of token j is then what all later tokens
// take of it: the sum of 1 / (i + 1) over i >= j, as dO is 1.
typedef struct {
  int rank, failed;
  ulyssesComm_t comm;
  float query[kTokens][kHeads][kDim], key[kTokens][kHeads][kDim], value[kTokens][kHeads][kDim];
  float output[kTokens][kHeads][kDim], lse[kTokens][kHeads], output_gradient[kTokens][kHeads][kDim];
  float gradients[3][kTokens][kHeads][kDim];
} Rank;

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, ulyssesAttentionGetLastError());
  return 1;
}

static int attend(Rank* r) {
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = kRanks * kTokens;
  geometry.heads = kHeads;
  ulyssesAttentionOptions_t options = ULYSSES_ATTENTION_OPTIONS_INITIALIZER;
  options.causal = 1;
  ulyssesAttentionTensors_t tensors = ULYSSES_ATTENTION_TENSORS_INITIALIZER;
  tensors.headDim = kDim;
  tensors.query.data = r->query, tensors.key.data = r->key, tensors.value.data = r->value;
  tensors.output.data = r->output, tensors.lse.data = r->lse;

  // Memory for both passes, once: a training step asks for it again and again.
  size_t forward = 0, backward = 0;
  if (ulyssesAttentionWorkspaceBytes(&geometry, &tensors, &options, 0, kRanks, r->rank, &forward) ||
      ulyssesAttentionWorkspaceBytes(&geometry, &tensors, &options, 1, kRanks, r->rank, &backward))
    return fail("workspace");
  const size_t bytes = forward > backward ? forward : backward;
  void* workspace = NULL;
  if (ulyssesMemAlloc(&workspace, bytes)) return puts(ulyssesGetLastError(NULL)), 1;

  if (ulyssesAttentionForward(&geometry, &tensors, &options, workspace, bytes, r->comm, NULL, NULL))
    return fail("forward");
  tensors.outputGradient.data = r->output_gradient;
  tensors.queryGradient.data = r->gradients[0];
  tensors.keyGradient.data = r->gradients[1];
  tensors.valueGradient.data = r->gradients[2];
  if (ulyssesAttentionBackward(&geometry, &tensors, &options, workspace, bytes, r->comm, NULL, NULL))
    return fail("backward");
  return ulyssesMemFree(workspace) != ulyssesSuccess;
}

static void* run(void* argument) {
  Rank* r = argument;
  for (int token = 0; token < kTokens; token++)
    for (int i = 0; i < kHeads * kDim; i++) {
      r->query[token][0][i] = 1;
      r->value[token][0][i] = (float)(r->rank * kTokens + token);
      r->output_gradient[token][0][i] = 1;
    }
  r->failed = attend(r);
  return NULL;
}

int main(void) {
  static Rank ranks[kRanks];  // threads here; usually each rank is a process (ulyssesCommInitLauncher)
  ulyssesComm_t comms[kRanks];
  pthread_t threads[kRanks];
  if (ulyssesCommInitAll(comms, kRanks, NULL)) return puts(ulyssesGetLastError(NULL)), 1;
  for (int rank = 0; rank < kRanks; rank++) {
    ranks[rank].rank = rank, ranks[rank].comm = comms[rank];
    if (pthread_create(&threads[rank], NULL, run, &ranks[rank])) return 1;
  }
  int failed = 0;
  for (int rank = 0; rank < kRanks; rank++) {
    pthread_join(threads[rank], NULL);
    failed |= ranks[rank].failed;
    for (int token = 0; token < kTokens && !failed; token++)
      printf("token %d: O %.4f dV %.4f\n", rank * kTokens + token, (double)ranks[rank].output[token][1][kDim - 1],
             (double)ranks[rank].gradients[2][token][1][kDim - 1]);
    ulyssesCommDestroy(comms[rank]);
  }
  return failed;
}
