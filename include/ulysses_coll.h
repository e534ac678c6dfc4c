// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// long: the whole public C ABI is one header
//
// libulysses_coll: the fused all-to-all of Ulysses sequence parallelism.
//
//   ScatterHeads   [S_r, B, H, D]  ->  [S, B, H_r, D]    a slice of the sequence -> a slice of the heads
//   GatherHeads    [S, B, H_r, D]  ->  [S_r, B, H, D]    and back
//
// S: tokens of the whole sequence, S_r: tokens of rank r, B: batch, H: heads, H_r: heads of rank r, D: head_dim.
// Index map: y_r[t, b, h] = x_j[s, b, first_head(r) + h], where token s of rank j has position t in the sequence.
// Every byte is read once from the caller's layout and written once in the receiver's.
//
// Conventions, for every function below unless it says otherwise:
//   - Results: ulyssesSuccess or an error; ulyssesGetLastError() has the text. docs/errors.md has the state after each.
//   - Ownership: the caller owns every pointer passed in. Structs and arrays are read during the call only; tensor
//     memory belongs to the library from the start of an operation until it completes.
//   - Units: sequence, heads and strides count elements, sizes count bytes, times count milliseconds.
//   - Complete means: my outputs are readable AND every peer has finished reading my inputs.
//   - Thread-safety: a communicator may be used from any thread, one call at a time; concurrent use is detected and is
//     ulyssesInvalidUsage. Different communicators are independent.
#ifndef ULYSSES_COLL_H_
#define ULYSSES_COLL_H_

#include <stddef.h>
#include <stdint.h>

#define ULYSSES_VERSION_MAJOR 0
#define ULYSSES_VERSION_MINOR 1
#define ULYSSES_VERSION_PATCH 0
#define ULYSSES_VERSION_CODE (ULYSSES_VERSION_MAJOR * 10000 + ULYSSES_VERSION_MINOR * 100 + ULYSSES_VERSION_PATCH)

#if defined(__GNUC__)
#define ULYSSES_API __attribute__((visibility("default")))
#else
#define ULYSSES_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

// ---------------------------------------------------------------------------------------------- results

typedef enum {
  ulyssesSuccess = 0,
  ulyssesInvalidArgument = 1,  // a parameter cannot be; the text names it, its value and a remedy
  ulyssesInvalidUsage = 2,     // a legal call at the wrong time: stale handle, concurrent use, full queue
  ulyssesMismatch = 3,         // ranks passed different calls; the text names both and the first differing field
  ulyssesRemoteInvalid = 4,    // a peer's own call failed before it sent anything; the text carries its reason
  ulyssesRemoteLost = 5,       // a peer died or destroyed its communicator
  ulyssesTimeout = 6,          // the deadline passed; the text names the absent ranks and their last operation
  ulyssesAborted = 7,          // this communicator was aborted, here or by a peer
  ulyssesOutOfMemory = 8,      // not enough memory; the text says needed and available
  ulyssesSystemError = 9,      // a system call failed; the text names it and its errno
  ulyssesNotSupported = 10,    // legal, but not built or not possible here
  ulyssesInternalError = 11,   // a bug of this library
  ulyssesInProgress = 12,      // from ulyssesCommGetAsyncError only: operations are outstanding
  ulyssesCorrupted = 13        // with ULYSSES_VERIFY: bytes arrived that are not those which were announced
} ulyssesResult_t;

typedef struct ulyssesComm* ulyssesComm_t;  // opaque handle; never dereferenced by the library

// Version of the library at run time, ULYSSES_VERSION_CODE of its build. Errors: InvalidArgument when version is NULL.
ULYSSES_API ulyssesResult_t ulyssesGetVersion(int* version);

// A short constant text for a result. Never NULL; a static string.
ULYSSES_API const char* ulyssesGetErrorString(ulyssesResult_t result);

// The text of the last error: of the calling thread when comm is NULL, else the first cause that made comm unusable, or
// its last error. One line. Valid until the calling thread's next call into the library; never NULL, "" when none.
ULYSSES_API const char* ulyssesGetLastError(ulyssesComm_t comm);

// ---------------------------------------------------------------------------------------------- communicators

#define ULYSSES_UNIQUE_ID_BYTES 128

// Names one communicator to be. Holds a secret: pass it to the other ranks by a channel you trust, do not log it.
typedef struct {
  char internal[ULYSSES_UNIQUE_ID_BYTES];
} ulyssesUniqueId_t;

#define ULYSSES_CONFIG_MAGIC 0x756c7963u
#define ULYSSES_CONFIG_VERSION 1u

// Options of a communicator. Start from ULYSSES_CONFIG_INITIALIZER. 0 takes the environment variable of the same name,
// else its default (docs/environment.md). Values that must agree among ranks are taken from rank 0.
typedef struct {
  size_t size;              // sizeof(ulyssesConfig_t)
  uint32_t magic;           // ULYSSES_CONFIG_MAGIC
  uint32_t version;         // ULYSSES_CONFIG_VERSION
  int64_t timeout_ms;       // deadline of one operation; default 600000
  int64_t init_timeout_ms;  // deadline of communicator creation; default 600000
  int64_t staging_bytes;    // window for tensors in private memory, per rank; default 1048576; rank 0's value is used;
                            // chunks to and from other hosts take about four times as much each way
  int32_t plan_cache_size;  // plans kept, least recently used dropped; default 64
  int32_t progress_thread;  // 1: a thread of the library moves started operations along; default 0
  const char* name;         // shown in messages, at most 31 bytes are kept; NULL: derived from the id
  int64_t reserved[6];      // 0
} ulyssesConfig_t;

#define ULYSSES_CONFIG_INITIALIZER                                                                    \
  {                                                                                                   \
    sizeof(ulyssesConfig_t), ULYSSES_CONFIG_MAGIC, ULYSSES_CONFIG_VERSION, 0, 0, 0, 0, 0, NULL, { 0 } \
  }

// Make an id and listen for the ranks that will present it, on the interface that ULYSSES_INTERFACE names (default:
// loopback) and no other. Called once per communicator, by any one process, which
// must live until all ranks have joined. Non-blocking; a thread of the library serves the rendezvous and ends with it.
// Errors: InvalidArgument (id is NULL, no such interface), SystemError.
ULYSSES_API ulyssesResult_t ulyssesGetUniqueId(ulyssesUniqueId_t* id);

// Join the communicator named by id as `rank` of `nRanks`. Blocks until all ranks joined or the init deadline.
// Ranks of one host are joined by shared memory, ranks of different hosts by UCX (docs/user_guide.md, Several hosts).
// On error *comm is NULL and nothing is held. Errors: InvalidArgument (rank, nRanks, id, duplicate rank, ranks that
// disagree on nRanks), Timeout (text names the missing ranks), NotSupported (ranks on several hosts, and no UCX here or
// at another rank, or ULYSSES_PATH=shm), OutOfMemory, SystemError.
ULYSSES_API ulyssesResult_t ulyssesCommInitRank(ulyssesComm_t* comm, int nRanks, const ulyssesUniqueId_t* id, int rank);
ULYSSES_API ulyssesResult_t ulyssesCommInitRankConfig(ulyssesComm_t* comm, int nRanks, const ulyssesUniqueId_t* id,
                                                      int rank, const ulyssesConfig_t* config);

// What a launcher (mpirun, srun, torchrun, a script) made of this process, by the environment it gave it.
typedef struct {
  char name[32];  // "openmpi", "pmi" (MPICH, Slurm), "pmix", "slurm", "torchrun", "environment" (RANK and WORLD_SIZE
                  // set by somebody else), "ulysses" (ULYSSES_RANK)
  int rank;       // 0..nRanks-1
  int nRanks;
  int localRank;  // among the ranks of this host, and their number; -1: the launcher does not say
  int localRanks;
  int64_t reserved[4];
} ulyssesLauncher_t;

// Ask for it. Local, except below PMIx launchers that have no variable for the number of ranks: these ask their server.
// Thread-safe. Errors: InvalidUsage (nothing started this process as a rank; the text lists the variables looked for),
// InvalidArgument (launcher is NULL; a variable is malformed or does not fit the others), NotSupported, SystemError.
ULYSSES_API ulyssesResult_t ulyssesGetLauncher(ulyssesLauncher_t* launcher);

// Join the communicator of all processes that this launcher started, as the rank that it made of this one. They find
// each other by ULYSSES_ROOT with ULYSSES_SECRET_FILE, else by the launcher itself (PMI, PMIx), else by MASTER_ADDR
// (docs/user_guide.md). Called by all of them; each call makes another communicator, the n-th call of one process with
// the n-th calls of the others, also after an error. MPI may be used in the same process, not during the call. Blocks
// until all ranks joined, or the init deadline. config may be NULL. On error *comm is NULL and nothing is held. Errors:
// those of ulyssesGetLauncher; InvalidArgument (comm is NULL; ULYSSES_ROOT, the secret file or an address that cannot
// be, or is refused without a secret); Timeout (names the missing ranks where the launcher tells them); SystemError
// (port in use, another secret, the launcher closed its connection); those of ulyssesCommInitRank.
ULYSSES_API ulyssesResult_t ulyssesCommInitLauncher(ulyssesComm_t* comm, const ulyssesConfig_t* config);

// Make all ranks of a communicator in this process; comms[r] becomes rank r. Each may be driven by its own thread, or
// one thread drives them all between ulyssesGroupStart and ulyssesGroupEnd. config may be NULL. Errors as InitRank.
ULYSSES_API ulyssesResult_t ulyssesCommInitAll(ulyssesComm_t* comms, int nRanks, const ulyssesConfig_t* config);

#define ULYSSES_SPLIT_NOCOLOR (-1)

// Make new communicators of the ranks of comm: those of one color go together, ordered by key, then by their rank in
// comm. Called by all ranks of comm, with nothing outstanding. With color ULYSSES_SPLIT_NOCOLOR *newComm is NULL and
// the result Success. config NULL: that of comm. comm stays as it was, and is destroyed on its own. GPU memory that is
// registered with comm is not with newComm: register it there too. Blocks until the ranks of the color have joined, or
// the init deadline. On error *newComm is NULL and nothing is held. Errors:
// InvalidArgument (color below -1), InvalidUsage (operations outstanding), Timeout (names who did not call), RemoteLost
// (a rank of comm died: use ulyssesCommShrink), those of ulyssesCommInitRank.
ULYSSES_API ulyssesResult_t ulyssesCommSplit(ulyssesComm_t comm, int color, int key, ulyssesComm_t* newComm,
                                             const ulyssesConfig_t* config);

// Make a new communicator of the ranks of comm that live, after a peer was lost or a deadline passed (or at any time),
// in their old order. Called by all of them; ranks that died, or destroyed comm, need not be named. `excluded`: further
// ranks to leave out, which do not call: hung ones, for example; the same at every caller. NULL with nExcluded 0. When
// a rank dies meanwhile the others go on without it. config, comm, blocking and the state after as for
// ulyssesCommSplit. Errors: InvalidArgument (excluded names this rank, or no rank), Mismatch (callers exclude different
// ranks), InvalidUsage, Timeout (names a rank that lives and does not call: exclude it), those of ulyssesCommInitRank.
ULYSSES_API ulyssesResult_t ulyssesCommShrink(ulyssesComm_t comm, const int* excluded, int nExcluded,
                                              ulyssesComm_t* newComm, const ulyssesConfig_t* config);

ULYSSES_API ulyssesResult_t ulyssesCommCount(ulyssesComm_t comm, int* nRanks);
ULYSSES_API ulyssesResult_t ulyssesCommUserRank(ulyssesComm_t comm, int* rank);

// Release a communicator. Local; with ranks on other hosts it stays up to a second until they have what was sent to
// them, so a rank there should not end without it. Complete outstanding operations first: they are cancelled, which
// their peers see as RemoteLost. The handle is stale afterwards: using it again is InvalidUsage, never a crash.
ULYSSES_API ulyssesResult_t ulyssesCommDestroy(ulyssesComm_t comm);

// End every operation on comm, here and at its peers, with ulyssesAborted, and release it. Callable from any thread,
// also while another one waits in an operation; returns within a second; a second call is harmless (InvalidUsage).
ULYSSES_API ulyssesResult_t ulyssesCommAbort(ulyssesComm_t comm);

// *asyncError: the first cause that made comm unusable, ulyssesInProgress, or ulyssesSuccess. Callable from any thread
// at any time.
ULYSSES_API ulyssesResult_t ulyssesCommGetAsyncError(ulyssesComm_t comm, ulyssesResult_t* asyncError);

// The state of comm at this rank as JSON (docs/user_guide.md has the keys): who this is, settings and where they are
// from, the first cause, the last failed call with a shell line that runs it again, the GPU with its registered memory
// and why it is staged, the peers (process, path, last operation, state), and the last 256 operations with how far each
// came and when. Healthy or revoked. Written to text[0..bytes), cut and NUL-terminated; *needed: the bytes that all of
// it takes, NUL included. text may be NULL with bytes 0, needed may be NULL. Local; takes some system calls for each
// peer; the next text may be a few bytes longer. Errors: InvalidArgument (text is NULL), InvalidUsage (stale handle, or
// another thread is in a call on comm).
ULYSSES_API ulyssesResult_t ulyssesCommDump(ulyssesComm_t comm, char* text, size_t bytes, size_t* needed);

// How a communicator's rank reaches a peer.
typedef struct {
  char path[16];     // "self", "shm", "ucx" (another host)
  char reason[112];  // why, in words
} ulyssesPathInfo_t;
ULYSSES_API ulyssesResult_t ulyssesCommGetPath(ulyssesComm_t comm, int peer, ulyssesPathInfo_t* info);

// An environment variable that the library reads; static strings.
typedef struct {
  const char* name;
  const char* defaultText;
  const char* values;
  const char* help;
} ulyssesEnvironmentVariable_t;

// The index-th of them, in the order of the documentation. Errors: InvalidArgument past the last.
ULYSSES_API ulyssesResult_t ulyssesGetEnvironmentVariable(int index, ulyssesEnvironmentVariable_t* variable);

// The library's build and a machine as JSON (docs/user_guide.md has the keys): caches, NUMA nodes with their memory and
// hardware threads, GPUs and NICs with PCI address, PCIe rate, NUMA node and, of each GPU, the nearest NICs, as hwloc
// finds them. xmlFile NULL: this machine, of which it shows what the process's cgroups allow; else the one that this
// XML file of hwloc describes (lstopo --whole-io FILE.xml writes one). What is not told is null. Written to
// text[0..bytes), cut and NUL-terminated; *needed: the bytes that all of it takes, NUL included. text may be NULL with
// bytes 0, needed may be NULL. Local and thread-safe; needs no communicator. Every call looks again, which takes
// milliseconds (it walks PCI): for tools and set-up. It loads hwloc's plugins, those that are installed for devices
// included. Errors: InvalidArgument (text is NULL; xmlFile is empty, or no such file), SystemError (hwloc cannot read
// this machine).
ULYSSES_API ulyssesResult_t ulyssesGetTopology(const char* xmlFile, char* text, size_t bytes, size_t* needed);

// ---------------------------------------------------------------------------------------------- memory

// Host memory that peers can map (a sealed memfd, page aligned, zeroed): tensors anywhere in it are exchanged with one
// copy. All pages are there when the call returns. bytes > 0. Errors: InvalidArgument, OutOfMemory (checked against the
// memory cgroup's limit first, so that running out is this error and never a signal), SystemError.
ULYSSES_API ulyssesResult_t ulyssesMemAlloc(void** pointer, size_t bytes);

// GPU memory of the current device that peers can map once it is registered (ulyssesCommRegister), zeroed, aligned to
// 256 bytes: a cudaMalloc of its own, in whole blocks of 2 MiB, so that sharing it shares nothing else of this process.
// bytes > 0. Blocks until it is zeroed, not on other work of the device. Errors: InvalidArgument, OutOfMemory (says
// needed and free), NotSupported (built without CUDA, no driver, no GPU), SystemError.
ULYSSES_API ulyssesResult_t ulyssesMemAllocDevice(void** pointer, size_t bytes);

// Free memory from ulyssesMemAlloc or ulyssesMemAllocDevice; NULL is allowed. Host memory: its pages go at once; peers
// drop their mapping at their next operation with this rank. GPU memory: deregister it first; waits for the device,
// like cudaFree. No operation may be using it. Errors: InvalidArgument (not from these), SystemError.
ULYSSES_API ulyssesResult_t ulyssesMemFree(void* pointer);

// Let peers map memory that the caller already has: `bytes` at `pointer`, which the caller mapped MAP_SHARED from `fd`
// at `offset` (memfd, POSIX shm, torch share_memory_()). fd is duplicated and may be closed. The file must keep its
// size while registered; add F_SEAL_SHRINK where you can. *handle is for ulyssesCommDeregister. Errors: InvalidArgument
// (names what does not fit: not a mapping of fd, offset, size), SystemError.
ULYSSES_API ulyssesResult_t ulyssesCommRegisterFd(ulyssesComm_t comm, void* pointer, size_t bytes, int fd,
                                                  int64_t offset, void** handle);

// Register plain memory. Host memory: inside a registered segment it succeeds and is a no-op; private memory cannot be
// mapped by another process and is NotSupported, with both remedies in the text. (Exchanges of private memory work,
// staged.)
// GPU memory of the current device: `bytes` at `pointer`, any range of an allocation, whose peers may then write and
// read it. Collective: every rank registers a range, of its own size, from a thread per rank; the device must be
// current at every later call (else that call is InvalidUsage, and made again). Memory that a peer cannot map
// (cudaMallocAsync, cudaMallocManaged, cuMemCreate without a POSIX file descriptor) is staged: as much device memory is
// taken that it can map, and each call copies to or from it on its stream; ulyssesCommDump has the reason.
// With ranks on several hosts all memory is staged, in as much pinned host memory; then inputs must be registered as
// outputs must, and the first registration is a split too. Errors, the same at every rank: InvalidArgument (names the
// rank and why it could not), NotSupported (built without CUDA), OutOfMemory (64 ranges; between hosts there is no such
// bound). Deregistering GPU memory is collective too, in one order at every rank; no exchange may be using it.
ULYSSES_API ulyssesResult_t ulyssesCommRegister(ulyssesComm_t comm, void* pointer, size_t bytes, void** handle);

// GPU memory as a window, in which copy engines may write (ULYSSES_GPU_ENGINE). The ranks promise: a call that has
// an output in a window has all outputs in windows, at every rank at the same offset, and all ranks pass the same
// layouts, or, strided, the same strides. A call that breaks it is an asynchronous ulyssesMismatch. Copies are enqueued
// with the call and run whatever the ranks find of each other: after an error, at any rank, what is in windows is
// undefined, and a window may be freed once every rank has destroyed the communicator. Never is memory outside of
// windows written.
#define ULYSSES_REGISTER_WINDOW 1u

// ulyssesCommRegister with flags: 0, or ULYSSES_REGISTER_WINDOW, the same at every rank. Errors besides:
// InvalidArgument (unknown flags, ranks that differ in them, a window of host memory).
ULYSSES_API ulyssesResult_t ulyssesCommRegisterFlags(ulyssesComm_t comm, void* pointer, size_t bytes, uint32_t flags,
                                                     void** handle);
ULYSSES_API ulyssesResult_t ulyssesCommDeregister(ulyssesComm_t comm, void* handle);

// ---------------------------------------------------------------------------------------------- geometry and tensors

typedef enum {
  ulyssesFloat64 = 0,
  ulyssesFloat32 = 1,
  ulyssesFloat16 = 2,
  ulyssesBfloat16 = 3,
  ulyssesFloat8e4m3 = 4,
  ulyssesFloat8e5m2 = 5,
  ulyssesInt8 = 6,
  ulyssesUint8 = 7,
  ulyssesInt32 = 8,
  ulyssesInt64 = 9
} ulyssesDataType_t;

// Order of dimensions of a contiguous tensor. On the head-sharded side H is H_r, on the sequence-sharded side S is S_r.
// Packed variable-length tensors [T, H, D] (THD) are SBHD with batch 1.
typedef enum {
  ulyssesLayoutSBHD = 0,
  ulyssesLayoutBSHD = 1,
  ulyssesLayoutBHSD = 2,
  ulyssesLayoutStrided = 3  // the strides of the tensor say it
} ulyssesLayout_t;

typedef enum {
  ulyssesTensorQuery = 0,  // has `heads` heads: Q, O, their gradients, log-sum-exp (head_dim 1)
  ulyssesTensorKv = 1      // has `kvHeads` heads: K, V and their gradients; shared by ranks when kvHeads < ranks
} ulyssesTensorKind_t;

typedef enum {
  ulyssesOrderContiguous = 0,  // rank r holds the r-th part of the sequence
  ulyssesOrderZigzag = 1       // rank r holds chunks r and 2P-1-r of 2P (load-balanced causal), of each packed sequence
} ulyssesSequenceOrder_t;

#define ULYSSES_GEOMETRY_MAGIC 0x756c7967u
#define ULYSSES_GEOMETRY_VERSION 1u
#define ULYSSES_MAX_TENSORS 8

// What all ranks must agree on. Start from ULYSSES_GEOMETRY_INITIALIZER.
typedef struct {
  size_t size;       // sizeof(ulyssesGeometry_t)
  uint32_t magic;    // ULYSSES_GEOMETRY_MAGIC
  uint32_t version;  // ULYSSES_GEOMETRY_VERSION
  int64_t sequence;  // S, tokens of the whole sequence, >= 0
  int64_t batch;     // B, >= 0
  int64_t heads;     // H, query heads, >= 1
  int64_t kvHeads;   // Hkv, divides H; 0: H (MHA)
  ulyssesSequenceOrder_t order;
  int32_t reserved0;          // 0
  const int64_t* tokens;      // [nRanks] tokens of each rank, 0 allowed, sum S; NULL: equal, S % nRanks == 0.
                              // With zigzag: NULL, or exactly what the zigzag rule gives
  const int64_t* queryHeads;  // [nRanks] query heads of each rank, 0 allowed, sum H; NULL: the default split
  const int64_t* cuSeqlens;   // [nSequences + 1] ends of packed sequences: 0, ..., S ascending; NULL: one sequence.
                              // Of exchanges only the zigzag order looks at it
  int64_t nSequences;         // 0 when cuSeqlens is NULL
  uint64_t tag;               // any number; ranks that pass different ones get ulyssesMismatch: a layer above puts here
                              // what else must agree. Changes nothing that moves. 0 by default
  int64_t reserved[3];        // 0
} ulyssesGeometry_t;

#define ULYSSES_GEOMETRY_INITIALIZER                                                                                 \
  {                                                                                                                  \
    sizeof(ulyssesGeometry_t), ULYSSES_GEOMETRY_MAGIC, ULYSSES_GEOMETRY_VERSION, 0, 1, 1, 0, ulyssesOrderContiguous, \
        0, NULL, NULL, NULL, 0, 0, {                                                                                 \
      0                                                                                                              \
    }                                                                                                                \
  }

// Strides in elements of a tensor seen as (sequence, batch, KV groups, heads per group, head_dim); head_dim is
// contiguous. Head h of the tensor is head h % g of group h / g, with g = heads / kvHeads for a query tensor and 1 for
// a KV tensor. On the head-sharded side g is the rank's own ratio of query to KV heads. For a plain head axis of stride
// x: group = g * x, head = x. Inputs may have zero and negative strides; outputs must not overlap themselves.
typedef struct {
  int64_t sequence;
  int64_t batch;
  int64_t group;
  int64_t head;
} ulyssesStrides_t;

#define ULYSSES_TENSOR_SUM 1u  // GatherHeads of a KV tensor: add the partial sums of the ranks that share a KV head

// One tensor of an exchange. Input and output layouts are independent and both are this rank's own; ranks must agree on
// the order of dimensions, not on the strides. Host memory; pointers may be unaligned (slower). Zero-initialise.
typedef struct {
  const void* input;  // ScatterHeads: [S_r, B, H, D] of this rank; GatherHeads: [S, B, H_r, D]
  void* output;       // ScatterHeads: [S, B, H_r, D]; GatherHeads: [S_r, B, H, D]. Must not overlap inputs
  int64_t headDim;    // D >= 1
  ulyssesDataType_t dtype;
  ulyssesTensorKind_t kind;
  ulyssesLayout_t inputLayout;
  ulyssesLayout_t outputLayout;
  ulyssesStrides_t inputStrides;  // read only when the layout is ulyssesLayoutStrided
  ulyssesStrides_t outputStrides;
  uint32_t flags;       // ULYSSES_TENSOR_SUM
  uint32_t reserved0;   // 0
  int64_t reserved[2];  // 0
} ulyssesTensor_t;

// Which heads and tokens a rank holds.
typedef struct {
  int64_t queryHeadBegin, queryHeadCount;  // on the head-sharded side
  int64_t kvHeadBegin, kvHeadCount;
  int64_t tokenCount;  // on the sequence-sharded side
  int32_t kvReplica;   // this rank's place among the ranks that hold its first KV head
  int32_t kvReplicas;  // how many ranks hold it
  double imbalance;    // largest work (query heads) over ideal, the same at every rank; 1 is ideal
} ulyssesSplit_t;

// The split of rank `rank` of `nRanks`. Pure: needs no communicator, allocates nothing that outlives it.
// Errors: InvalidArgument (names the field, its value and what would work).
ULYSSES_API ulyssesResult_t ulyssesGetSplit(const ulyssesGeometry_t* geometry, int nRanks, int rank,
                                            ulyssesSplit_t* split);

// positions[t]: the place in the whole sequence of token t of this rank; [tokenCount] (for RoPE, masks). Pure.
ULYSSES_API ulyssesResult_t ulyssesGetTokenPositions(const ulyssesGeometry_t* geometry, int nRanks, int rank,
                                                     int64_t* positions);

// ranks[s], indices[s]: which rank holds token s of the whole sequence, and as which of its tokens; [S] each. Pure.
ULYSSES_API ulyssesResult_t ulyssesGetTokenSources(const ulyssesGeometry_t* geometry, int nRanks, int32_t* ranks,
                                                   int64_t* indices);

// Bytes that rank `rank` receives in one exchange of these tensors, its own share included, and the readable plan of it
// (what goes where, as which strided copies) in text[0..textBytes), cut and NUL-terminated; either may be NULL/0. Pure.
typedef enum { ulyssesOpScatterHeads = 0, ulyssesOpGatherHeads = 1 } ulyssesOp_t;
ULYSSES_API ulyssesResult_t ulyssesExplain(ulyssesOp_t op, const ulyssesGeometry_t* geometry,
                                           const ulyssesTensor_t* tensors, int nTensors, int nRanks, int rank,
                                           int64_t* bytesReceived, char* text, size_t textBytes);

// ---- predicted cost, on a cluster that is described: no hardware, no communicator

typedef enum {
  ulyssesLinkSelf = 0,
  ulyssesLinkProcess = 1,       // ranks that are threads of one process
  ulyssesLinkShmSameNuma = 2,   // processes of one host, on one NUMA node
  ulyssesLinkShmOtherNuma = 3,  // on different NUMA nodes
  ulyssesLinkNetwork = 4
} ulyssesLink_t;
#define ULYSSES_LINKS 5

typedef struct {
  double latencySeconds;  // of each message
  double secondsPerByte;
} ulyssesLinkCost_t;

#define ULYSSES_CLUSTER_MAGIC 0x756c7973u
#define ULYSSES_CLUSTER_VERSION 1u

// A cluster of equal hosts; ranks are dealt to hosts, and within a host to its NUMA nodes, in blocks. Start from
// ULYSSES_CLUSTER_INITIALIZER. A rate of 0 sets no bound.
typedef struct {
  size_t size;                                                 // sizeof(ulyssesCluster_t)
  uint32_t magic;                                              // ULYSSES_CLUSTER_MAGIC
  uint32_t version;                                            // ULYSSES_CLUSTER_VERSION
  int32_t hosts, ranksPerHost, numaNodesPerHost, nicsPerHost;  // at least 1 each
  ulyssesLinkCost_t links[ULYSSES_LINKS];                      // by ulyssesLink_t
  double nicBytesPerSecond;                                    // of one NIC, each way
  double memoryBytesPerSecond;                                 // of all copies inside one host together
  double packSecondsPerByte;                                   // a rank's work at either end of a network transfer
  int64_t reserved[6];                                         // 0
} ulyssesCluster_t;

#define ULYSSES_CLUSTER_INITIALIZER                                                                                \
  {                                                                                                                \
    sizeof(ulyssesCluster_t), ULYSSES_CLUSTER_MAGIC, ULYSSES_CLUSTER_VERSION, 1, 1, 1, 1, {{0, 0}}, 0, 0, 0, { 0 } \
  }

typedef struct {
  double seconds;
  int64_t bytes[ULYSSES_LINKS], messages[ULYSSES_LINKS];  // of all ranks together
  int64_t mostNetworkMessages;                            // that one rank sends
} ulyssesPrice_t;

// What one exchange of these tensors would take on the cluster (hosts x ranksPerHost ranks): flat, every rank with
// every other; and by two levels, where a KV head that ranks of one host share crosses the network once. A model, not a
// measurement: docs/algorithms.md. Exchanges do of it what concerns shared KV heads; ranks of a host do
// not join their messages. Either price may be NULL. Pure. Errors: InvalidArgument (names the field, its value and what
// would work).
ULYSSES_API ulyssesResult_t ulyssesPredict(ulyssesOp_t op, const ulyssesGeometry_t* geometry,
                                           const ulyssesTensor_t* tensors, int nTensors,
                                           const ulyssesCluster_t* cluster, ulyssesPrice_t* flat,
                                           ulyssesPrice_t* twoLevel);

// ---------------------------------------------------------------------------------------------- collectives

// Exchange 1..ULYSSES_MAX_TENSORS tensors at once: one synchronisation for all. KV tensors with kvHeads < nRanks are
// replicated on send: no replicated copy exists in memory. Blocking: complete on return. `stream` must be NULL for host
// tensors. Device tensors, all of a call on one GPU: the call only enqueues on `stream`, a cudaStream_t (NULL is CUDA's
// default stream), and may be captured into a graph, which then lives no longer than the communicator and its plan
// (plan_cache_size). Outputs, and inputs that are summed, lie in memory registered with ulyssesCommRegister. Calls of
// one communicator run in one order on one stream at a time. What goes wrong after the call, mismatches included, is
// told by ulyssesCommGetAsyncError; the communicator's device exchanges are over then. All ranks call the same
// collectives in the same order; a difference is detected before anything moves and is ulyssesMismatch at every rank.
// Errors and the state after: InvalidArgument (usable; peers get RemoteInvalid), InvalidUsage (usable), Mismatch
// (usable), RemoteInvalid (usable), Timeout, RemoteLost (revoked: destroy it), Corrupted (revoked), Aborted. Outputs
// are undefined after an error; nothing outside them is ever written. Source: DeepSpeed-Ulysses, arXiv 2309.14509
// section 3; KV replication as in ALST, arXiv 2506.13996 section 3.2.
ULYSSES_API ulyssesResult_t ulyssesScatterHeads(const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors,
                                                int nTensors, ulyssesComm_t comm, void* stream);

// The way back, and the adjoint of ScatterHeads. KV heads that several ranks share need ULYSSES_TENSOR_SUM: their
// partial values are added in float32 (float64 for f64) in ascending rank order and rounded once, bit-reproducibly.
ULYSSES_API ulyssesResult_t ulyssesGatherHeads(const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors,
                                               int nTensors, ulyssesComm_t comm, void* stream);

// A started operation. A value: copy it freely. {0, 0} is the null request.
typedef struct {
  uint64_t comm;
  uint64_t sequence;
} ulyssesRequest_t;

// Start an exchange: announces it to the peers and returns. Bytes move in ulyssesTest and ulyssesWait of any of the
// communicator's requests, in its blocking calls, or in the progress thread. At least 4, at most 8 operations may be
// outstanding on a communicator (one more is InvalidUsage); they complete in the order they were started.
ULYSSES_API ulyssesResult_t ulyssesScatterHeadsStart(const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors,
                                                     int nTensors, ulyssesComm_t comm, void* stream,
                                                     ulyssesRequest_t* request);
ULYSSES_API ulyssesResult_t ulyssesGatherHeadsStart(const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors,
                                                    int nTensors, ulyssesComm_t comm, void* stream,
                                                    ulyssesRequest_t* request);

// Move the communicator's operations along without blocking on a peer. *done: 1 when this one is complete or failed
// (its result is returned and *request becomes null), else 0 with ulyssesSuccess. The null request is done.
ULYSSES_API ulyssesResult_t ulyssesTest(ulyssesRequest_t* request, int* done);

// Block until the operation is complete or failed; *request becomes null.
ULYSSES_API ulyssesResult_t ulyssesWait(ulyssesRequest_t* request);

// Take part in the next operation of comm as a rank that cannot make its call, for a reason that this library does not
// know: a layer above found its own arguments wrong, or ran out of memory. Peers get ulyssesRemoteInvalid with `result`
// and `reason` (255 bytes are kept) at once, instead of waiting for their deadline; comm stays usable. op: the call
// that is not made. Waits for nobody. Errors: InvalidArgument (result is ulyssesSuccess or none of the list, reason is
// NULL, op), InvalidUsage (8 operations outstanding), those of a revoked comm.
ULYSSES_API ulyssesResult_t ulyssesRefuse(ulyssesOp_t op, ulyssesResult_t result, const char* reason,
                                          ulyssesComm_t comm);

// Between these, blocking collectives are queued and run at End, progressing together: needed when one thread drives
// several ranks. Nests. End returns the first error; what each communicator says is in ulyssesGetLastError(comm).
// Geometry arrays and tensor memory must live until End. Thread-local.
ULYSSES_API ulyssesResult_t ulyssesGroupStart(void);
ULYSSES_API ulyssesResult_t ulyssesGroupEnd(void);

#ifdef __cplusplus
}
#endif

#endif  // ULYSSES_COLL_H_
