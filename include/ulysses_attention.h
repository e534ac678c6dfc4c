// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// libulysses_attention: exact distributed attention, forward and backward, on the collectives of libulysses_coll.
//
//   Q [S_r, B, H, D], K [S_r, B, Hkv, D], V [S_r, B, Hkv, Dv]      sequence-sharded, any layout
//     -> ScatterHeads -> local attention over the whole sequence, this rank's heads -> GatherHeads ->
//   O [S_r, B, H, Dv], LSE [S_r, B, H]
//
// For query head h, token i, its KV head k and the tokens j that the mask lets i see:
//   s_ij = scale * <q_i, k_j> - slope_h * |i - j|        p_ij = exp(s_ij - LSE_i)        O_i = sum_j p_ij v_j
//   LSE_i = log(sum_j exp(s_ij) + exp(sink_h))           (no sink: without the last term)
// A token that sees no token has O = 0 and LSE = -inf (with a sink: LSE = sink). NaN and infinity go where these
// formulas carry them: a score of NaN makes O and LSE NaN, one of +inf, or all of -inf, O NaN and LSE that infinity.
//
// Conventions are those of ulysses_coll.h: results, ownership, units, threads, "complete".
#ifndef ULYSSES_ATTENTION_H_
#define ULYSSES_ATTENTION_H_

#include <ulysses_coll.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---------------------------------------------------------------------------------------------- local attention

#define ULYSSES_ATTENTION_ANY (-1)  // a window without a bound

// One tensor of the local problem: element (s, b, h, d) is at data[s*sequence + b*batch + h*head + d], in elements.
typedef struct {
  void* data;
  int64_t sequence, batch, head;
} ulyssesLocalTensor_t;

// Attention of the heads of one rank over the whole sequence, in natural token order. What a local attention gets.
typedef struct {
  size_t size;                             // sizeof(ulyssesLocalAttention_t)
  int64_t sequence, batch;                 // S, B
  int64_t heads, kvHeads;                  // of this rank in this call; query head h uses KV head h / (heads / kvHeads)
  int64_t headDim, vHeadDim;               // D of Q and K, Dv of V and O
  ulyssesDataType_t dtype;                 // of Q, K, V, O and their gradients: f32, f16, bf16 (f64: oracle only)
  double scale;                            // resolved, never 0 by default
  int32_t causal;                          // token i sees j <= i only
  int32_t backward;                        // 0: Q, K, V -> O, LSE; 1: Q, K, V, dO, LSE, delta -> dQ, dK, dV
  int64_t windowLeft, windowRight;         // i sees i-windowLeft .. i+windowRight; ULYSSES_ATTENTION_ANY: no bound
  const int64_t* cuSeqlens;                // [nSequences + 1]: tokens see their own packed sequence only; NULL: one
  int64_t nSequences;                      // 0 when cuSeqlens is NULL
  const float* sinks;                      // [heads] of this call; NULL: none
  const float* slopes;                     // [heads] of this call; NULL: none
  ulyssesLocalTensor_t query, key, value;  // [S, B, heads | kvHeads, D | Dv]
  ulyssesLocalTensor_t output;             // [S, B, heads, Dv]; forward only
  ulyssesLocalTensor_t lse;                // float32 [S, B, heads]; written forward, read backward
  ulyssesLocalTensor_t outputGradient;     // dO [S, B, heads, Dv]
  ulyssesLocalTensor_t delta;              // float32 [S, B, heads]: sum over d of dO * O, from the operator
  ulyssesLocalTensor_t queryGradient, keyGradient,
      valueGradient;     // written; dK and dV summed over the heads that share
  float* sinkGradients;  // [heads], written; NULL: not wanted
  int32_t threads;       // that it may use, >= 1
  int32_t reserved0;
  void* stream;     // of the caller; NULL for host memory
  void* workspace;  // 64-byte aligned, as many bytes as its workspaceBytes asked for
  size_t workspaceBytes;
} ulyssesLocalAttention_t;

// Computes the problem. Host memory: complete on return; device memory: enqueued on problem->stream. Any other result
// than ulyssesSuccess ends the operator's call with it; peers are told. Called by the thread that called the operator.
typedef ulyssesResult_t (*ulyssesLocalAttentionFunction_t)(const ulyssesLocalAttention_t* problem, void* context);

// Bytes of workspace for such a problem (its pointers are NULL then).
typedef size_t (*ulyssesLocalWorkspaceFunction_t)(const ulyssesLocalAttention_t* problem, void* context);

// The built-in oracle, for ulyssesAttentionOptions_t.local: plain loops in float64, one thread, results rounded once.
// Slow. Takes f64 too. context is ignored. Errors: InvalidArgument (names the field).
ULYSSES_API ulyssesResult_t ulyssesAttentionOracle(const ulyssesLocalAttention_t* problem, void* context);
ULYSSES_API size_t ulyssesAttentionOracleWorkspace(const ulyssesLocalAttention_t* problem, void* context);

// ---------------------------------------------------------------------------------------------- options

#define ULYSSES_ATTENTION_OPTIONS_MAGIC 0x756c7961u
#define ULYSSES_ATTENTION_OPTIONS_VERSION 1u

// How to attend. Start from ULYSSES_ATTENTION_OPTIONS_INITIALIZER. All but threads, local, localWorkspace and
// localContext must be the same at all ranks; a difference is ulyssesMismatch at every rank, before anything moves.
typedef struct {
  size_t size;          // sizeof(ulyssesAttentionOptions_t)
  uint32_t magic;       // ULYSSES_ATTENTION_OPTIONS_MAGIC
  uint32_t version;     // ULYSSES_ATTENTION_OPTIONS_VERSION
  int32_t causal;       // 1: token i sees tokens up to i; 0
  int32_t threads;      // of the local attention at this rank; 0: 1
  double scale;         // of the scores, finite; 0: headDim^-0.5
  int64_t windowLeft;   // token i sees i-windowLeft .. i+windowRight: at least 0, or ULYSSES_ATTENTION_ANY (no bound)
  int64_t windowRight;  // "
  const float* sinks;   // [heads], of all heads at every rank: a score that takes part in the sum alone; NULL: none
  const float* slopes;  // [heads], likewise: slope * distance is taken off the score (ALiBi); NULL: none
  int32_t headGroups;   // exchanged and computed in so many groups; 0: 1 within a host, several between hosts
  int32_t reserved0;    // 0
  ulyssesLocalAttentionFunction_t local;           // NULL: the built-in fast one, of this CPU
  ulyssesLocalWorkspaceFunction_t localWorkspace;  // of `local`; NULL: it needs none
  void* localContext;                              // passed to both
  int64_t reserved[4];                             // 0
} ulyssesAttentionOptions_t;

#define ULYSSES_ATTENTION_OPTIONS_INITIALIZER                                                                         \
  {                                                                                                                   \
    sizeof(ulyssesAttentionOptions_t), ULYSSES_ATTENTION_OPTIONS_MAGIC, ULYSSES_ATTENTION_OPTIONS_VERSION, 0, 0, 0.0, \
        ULYSSES_ATTENTION_ANY, ULYSSES_ATTENTION_ANY, NULL, NULL, 0, 0, NULL, NULL, NULL, {                           \
      0                                                                                                               \
    }                                                                                                                 \
  }

// ---------------------------------------------------------------------------------------------- tensors

// A tensor of this rank on the sequence-sharded side, [S_r, B, heads, D] in any layout; strides as in ulyssesTensor_t.
// Inputs in memory that peers map (ulyssesMemAlloc, ulyssesCommRegisterFd) are exchanged with one copy.
typedef struct {
  void* data;  // only read when the tensor is an input
  ulyssesLayout_t layout;
  int32_t reserved0;         // 0
  ulyssesStrides_t strides;  // read only when the layout is ulyssesLayoutStrided
} ulyssesAttentionTensor_t;

#define ULYSSES_ATTENTION_TENSORS_MAGIC 0x756c7974u
#define ULYSSES_ATTENTION_TENSORS_VERSION 1u

// All tensors of a call. Start from ULYSSES_ATTENTION_TENSORS_INITIALIZER. Outputs must not overlap any other tensor.
typedef struct {
  size_t size;                                 // sizeof(ulyssesAttentionTensors_t)
  uint32_t magic;                              // ULYSSES_ATTENTION_TENSORS_MAGIC
  uint32_t version;                            // ULYSSES_ATTENTION_TENSORS_VERSION
  int64_t headDim;                             // D of Q and K, >= 1
  int64_t vHeadDim;                            // Dv of V and O; 0: headDim
  ulyssesDataType_t dtype;                     // f32, f16 or bf16 (f64 with a `local` that takes it); LSE is float32
  int32_t reserved0;                           // 0
  ulyssesAttentionTensor_t query, key, value;  // inputs of forward and backward
  ulyssesAttentionTensor_t output;             // forward writes it, backward reads it
  ulyssesAttentionTensor_t lse;             // float32 [S_r, B, heads]; forward writes it (data NULL: it is not kept),
                                            // backward reads it
  ulyssesAttentionTensor_t outputGradient;  // input of backward, [S_r, B, heads, Dv]
  ulyssesAttentionTensor_t queryGradient, keyGradient, valueGradient;  // backward writes them, for all heads
  float* sinkGradients;  // [queryHeadCount of ulyssesGetSplit] of this rank's heads, in private memory if you like;
                         // backward writes it; NULL: not wanted
  int64_t reserved[4];   // 0
} ulyssesAttentionTensors_t;

#define ULYSSES_ATTENTION_TENSORS_INITIALIZER                                                                      \
  {                                                                                                                \
    sizeof(ulyssesAttentionTensors_t), ULYSSES_ATTENTION_TENSORS_MAGIC, ULYSSES_ATTENTION_TENSORS_VERSION, 1, 0,   \
        ulyssesFloat32, 0, {NULL, ulyssesLayoutSBHD, 0, {0, 0, 0, 0}}, {NULL, ulyssesLayoutSBHD, 0, {0, 0, 0, 0}}, \
        {NULL, ulyssesLayoutSBHD, 0, {0, 0, 0, 0}}, {NULL, ulyssesLayoutSBHD, 0, {0, 0, 0, 0}},                    \
        {NULL, ulyssesLayoutSBHD, 0, {0, 0, 0, 0}}, {NULL, ulyssesLayoutSBHD, 0, {0, 0, 0, 0}},                    \
        {NULL, ulyssesLayoutSBHD, 0, {0, 0, 0, 0}}, {NULL, ulyssesLayoutSBHD, 0, {0, 0, 0, 0}},                    \
        {NULL, ulyssesLayoutSBHD, 0, {0, 0, 0, 0}}, NULL, {                                                        \
      0                                                                                                            \
    }                                                                                                              \
  }

// ---------------------------------------------------------------------------------------------- the operator

// What a call took at this rank.
typedef struct {
  double totalUs;          // all of it
  double localUs;          // in local attention
  double exposedUs;        // in starting exchanges and waiting for them: communication that nothing hid
  int64_t workspaceBytes;  // that it used
  int32_t headGroups;      // as chosen
  int32_t reserved0;
  int64_t reserved[4];
} ulyssesAttentionStats_t;

// Bytes of workspace that rank `rank` of `nRanks` needs. options may be NULL. Pointers of tensors are not looked at.
// With headGroups 0 it is enough for either choice.
// Pure, but for what options->localWorkspace does. Errors: InvalidArgument (names the field, its value and what would
// work).
ULYSSES_API ulyssesResult_t ulyssesAttentionWorkspaceBytes(const ulyssesGeometry_t* geometry,
                                                           const ulyssesAttentionTensors_t* tensors,
                                                           const ulyssesAttentionOptions_t* options, int backward,
                                                           int nRanks, int rank, size_t* bytes);

// Q, K, V of this rank's tokens -> O, LSE of this rank's tokens, exactly, over the whole sequence. Called by all ranks.
// geometry: as for the collectives; tokens see their own packed sequence of geometry->cuSeqlens only, in either order.
// geometry->tag takes part in the comparison of options. options NULL: defaults.
// workspace: 64-byte aligned, of ulyssesAttentionWorkspaceBytes; from ulyssesMemAlloc peers map it (one copy), other
// memory is staged (two). NULL with workspaceBytes 0: the library takes it from ulyssesMemAlloc for this call, which
// costs its pages each time. stream: NULL (host tensors). stats may be NULL.
// Blocking, also between ulyssesGroupStart and ulyssesGroupEnd. Of comm's 8 outstanding operations it takes at most 3.
// Errors are those of the collectives, with the state after (docs/errors.md); also InvalidArgument for options and
// tensors, OutOfMemory for the workspace, Mismatch when options differ, and what `local` returns: peers get
// RemoteInvalid with the reason then. Outputs are undefined after an error. Source: DeepSpeed-Ulysses, arXiv
// 2309.14509, section 3.
ULYSSES_API ulyssesResult_t ulyssesAttentionForward(const ulyssesGeometry_t* geometry,
                                                    const ulyssesAttentionTensors_t* tensors,
                                                    const ulyssesAttentionOptions_t* options, void* workspace,
                                                    size_t workspaceBytes, ulyssesComm_t comm, void* stream,
                                                    ulyssesAttentionStats_t* stats);

// dO of this rank's tokens, and Q, K, V, O, LSE of its forward -> dQ, dK, dV of its tokens. All else as above. O does
// not travel: sum over d of dO * O is made here. Partial dK and dV of ranks that share a KV head are added in float32,
// in ascending rank order, and rounded once (ULYSSES_TENSOR_SUM).
ULYSSES_API ulyssesResult_t ulyssesAttentionBackward(const ulyssesGeometry_t* geometry,
                                                     const ulyssesAttentionTensors_t* tensors,
                                                     const ulyssesAttentionOptions_t* options, void* workspace,
                                                     size_t workspaceBytes, ulyssesComm_t comm, void* stream,
                                                     ulyssesAttentionStats_t* stats);

// The text of the calling thread's last error in this library (ulyssesGetLastError does not know of it; where a
// collective failed, its text is in this one). One line, valid until the thread's next call; never NULL, "" when none.
ULYSSES_API const char* ulyssesAttentionGetLastError(void);

#ifdef __cplusplus
}
#endif

#endif  // ULYSSES_ATTENTION_H_
